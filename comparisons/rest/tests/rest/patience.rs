//! How long a request may take.

use crate::implementation::each;

#[test]
fn a_request_that_does_not_arrive_is_answered_in_time() {
    each(&["--impatient"], |running| {
        let head = "POST /login HTTP/1.1\r\nContent-Type: application/json";
        let answer = running.stranger().begin(head, 100, b"{\"user\": ");
        assert!(answer.starts_with("http/1.1 408 "), "{}: {answer}", running.name);
        assert!(answer.contains("application/problem+json"), "{}: {answer}", running.name);
        assert!(answer.contains("x-request-id: "), "{}: {answer}", running.name);
    });
}
