//! The page of `GET /fortunes`. Leaves the rows, their order and the added one to `database.rs`.

use askama::Template;

use super::Fortune;

#[derive(Template)]
#[template(path = "fortunes.html")]
struct Page<'a> {
    fortunes: &'a [Fortune],
}

/// The page of `fortunes` as HTML, in the order given, messages escaped.
///
/// # Errors
/// Only if writing into a `String` fails, which it does not; askama's signature asks for it.
pub fn render(fortunes: &[Fortune]) -> Result<String, askama::Error> {
    Page { fortunes }.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_escaped_and_text_beyond_ascii_is_kept() {
        for (message, expected) in [
            ("plain", "<td>plain</td>"),
            ("<script>", "<td>&#60;script&#62;</td>"),
            (r#"a "b" & 'c'"#, "<td>a &#34;b&#34; &#38; &#39;c&#39;</td>"),
            ("フレームワーク", "<td>フレームワーク</td>"),
        ] {
            let fortune = Fortune { id: 7, message: message.to_owned() };
            let page = render(&[fortune]).unwrap();
            assert!(page.contains(&format!("<tr><td>7</td>{expected}</tr>")), "{page}");
        }
    }

    #[test]
    fn the_page_is_the_one_of_the_contract() {
        let fortune = Fortune { id: 1, message: "one".to_owned() };
        let expected = "<!DOCTYPE html>\n<html>\n<head><title>Fortunes</title></head>\n<body>\n<table>\n\
             <tr><th>id</th><th>message</th></tr>\n<tr><td>1</td><td>one</td></tr>\n</table>\n</body>\n</html>";
        assert_eq!(render(&[fortune]).unwrap(), expected);
    }
}
