//! Ways to spoil the records of a sound comparison. Whoever judges them has to say that they are broken.

use std::{
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// What is done to the folder of a comparison.
type Spoil = fn(&Path) -> Result<()>;

/// All ways, by name.
pub(super) const WAYS: &[(&str, Spoil)] = &[
    ("an empty record", |folder| each(folder, |run| run["samples"] = json!([]))),
    ("no record at all", |folder| Ok(fs::remove_dir_all(folder.join("times"))?)),
    ("a record cut short", |folder| {
        let path = folder.join("counts").join("run.json");
        let text = fs::read(&path)?;
        Ok(fs::write(&path, &text[..text.len() / 2])?)
    }),
    ("a record of another machine", |folder| each(folder, |run| run["host"]["cpu_model"] = json!("some other CPU"))),
    ("a target missing", |folder| {
        each(folder, |run| {
            if let Some(samples) = run["samples"].as_array_mut() {
                samples.retain(|sample| sample["target"] != "armature@head");
            }
        })
    }),
    ("units swapped in all figures", |folder| {
        figures(folder, |metrics| {
            for name in ["cpu_us_per_request", "cpu_user_us_per_request", "cpu_system_us_per_request"] {
                if let Some(figure) = metrics[name].as_f64() {
                    metrics[name] = json!(figure * 1000.0);
                }
            }
        })
    }),
    ("units swapped in what the windows showed", |folder| {
        heads(folder, |sample| {
            for figure in sample["turns"]["cpu_us_per_request"].as_array_mut().into_iter().flatten() {
                *figure = json!(figure.as_f64().map(|figure| figure * 1000.0));
            }
        })
    }),
    ("a unit in the name swapped", |folder| {
        figures(folder, |metrics| {
            if let Some(figure) = metrics.as_object_mut().and_then(|all| all.remove("cpu_us_per_request")) {
                metrics["cpu_ns_per_request"] = figure;
            }
        })
    }),
    ("a run that was ended early", |folder| {
        each(folder, |run| run["status"] = json!({"partial": {"reason": "it was interrupted"}}))
    }),
];

/// Copies a comparison's documents.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// What `cargo xtask gate --judge` ends with, asked as anybody would ask it.
pub(super) fn exit_code(folder: &Path) -> Result<u8> {
    let program = std::env::current_exe().context("this program cannot be found")?;
    let status = Command::new(program)
        .args(["gate", "--judge"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("the gate cannot be started")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

/// Changes every record of a comparison.
fn each(folder: &Path, change: impl Fn(&mut Value)) -> Result<()> {
    for name in ["counts", "times"] {
        let path = folder.join(name).join("run.json");
        let mut run: Value = serde_json::from_slice(&fs::read(&path)?)?;
        change(&mut run);
        fs::write(&path, run.to_string())?;
    }
    Ok(())
}

/// Changes the head's samples.
fn heads(folder: &Path, change: impl Fn(&mut Value)) -> Result<()> {
    each(folder, |run| {
        for sample in run["samples"].as_array_mut().into_iter().flatten() {
            if sample["target"] == "armature@head" {
                change(sample);
            }
        }
    })
}

/// Changes their figures.
fn figures(folder: &Path, change: impl Fn(&mut Value)) -> Result<()> {
    heads(folder, |sample| change(&mut sample["metrics"]))
}
