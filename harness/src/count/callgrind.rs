//! callgrind, told to end a part of its counts whenever the probe's counters are read: what lies between two readings can be
//! told from what was before and after, in one launch.
//!
//! It needs no privilege, and no word of the program but the name of a function in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use probe::launch::GLIBC_TUNABLES;

use super::instructions;

/// The function whose call ends a part.
const END_OF_PART: &str = "probe::usage::read*";

/// The words before a command that is to be counted into parts of `file`.
#[must_use]
pub fn command(file: &Path) -> Vec<String> {
    vec![
        "env".to_owned(),
        format!("GLIBC_TUNABLES={GLIBC_TUNABLES}"),
        "valgrind".to_owned(),
        "--tool=callgrind".to_owned(),
        format!("--dump-before={END_OF_PART}"),
        format!("--callgrind-out-file={}", file.display()),
    ]
}

/// The parts of a file as they come.
#[derive(Debug)]
pub struct Parts {
    file: PathBuf,
    read: u32,
}

impl Parts {
    /// Those of this file, of which none was read.
    #[must_use]
    pub fn of(file: PathBuf) -> Self {
        Self { file, read: 0 }
    }

    /// The instructions in each part that was written since the last reading; the parts are removed.
    ///
    /// # Errors
    /// When a part has no totals, or none was ever written.
    pub fn written(&mut self) -> Result<Vec<u64>, String> {
        let mut counted = Vec::new();
        loop {
            let part = PathBuf::from(format!("{}.{}", self.file.display(), self.read + 1));
            let Ok(text) = fs::read_to_string(&part) else { break };
            counted.push(instructions::total(&text).ok_or("callgrind wrote a part without totals")?);
            self.read += 1;
            // It may be gone already, with the folder; nothing is lost then.
            let _ = fs::remove_file(&part);
        }
        // A stripped binary has no names, so that callgrind cannot see the function that ends a part.
        if self.read == 0 { Err(format!("callgrind saw no call of {END_OF_PART}")) } else { Ok(counted) }
    }
}
