//! `cargo xtask doctor` as scripts meet it: JSON that agrees with the exit code.

use std::process::Command;

use serde_json::Value;

#[test]
fn the_exit_code_says_what_the_findings_say() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["doctor", "--json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = told["findings"].as_array().unwrap();
    let problem = findings.iter().any(|finding| finding["level"] == "problem");
    assert_eq!(told["fit_to_time"], !problem, "{told}");
    assert_eq!(output.status.code(), Some(i32::from(problem)), "{told}");
    for finding in findings {
        let has_cure = finding["cure"].is_string();
        assert_eq!(has_cure, finding["level"] != "ok", "{finding}");
    }
    assert!(told["readings"]["host"]["cpus"].as_array().is_some_and(|cpus| !cpus.is_empty()), "{told}");
}

#[test]
fn what_is_asked_about_noise_is_not_ignored_without_it() {
    for arguments in [["--pairs", "20"], ["--case", "json"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("doctor").args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && told.contains("--noise"), "{arguments:?}: {told}");
    }
}
