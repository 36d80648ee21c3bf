//! One measurement that judges at a time: two on one machine would each be the other's noise.

use std::{
    env,
    fs::{self, File, TryLockError},
    io::Write,
    path::PathBuf,
    process,
    time::SystemTime,
};

use anyhow::{Context, Result, bail};

use crate::run;

/// The file that is locked, in the system's folder of temporary files, since the machine is what is shared.
const FILE: &str = "armature-lab.lock";

/// The machine is ours until this is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the machine for `purpose`, a few words.
    ///
    /// # Errors
    /// When another process has it; the message says which one, since when and for what.
    pub fn take(purpose: &str) -> Result<Self> {
        let path = path();
        let open = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open().with_context(|| format!("the lock {} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                bail!(
                    "another comparison is being measured on this machine, and each would be the other's noise: {}. \
                     Wait for it to end, or end it",
                    holder.trim()
                )
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("the lock {} cannot be taken", path.display()));
            }
        }
        // For whoever finds it taken; the lock itself is the kernel's and ends with this process.
        let holder = format!("process {}, {purpose}, since {}\n", process::id(), run::timestamp(SystemTime::now()));
        let written = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
        written.with_context(|| format!("the lock {} cannot be written", path.display()))?;
        Ok(Self { _file: file })
    }
}

fn path() -> PathBuf {
    env::temp_dir().join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_has_it_and_the_next_gets_it() {
        // Another lab may be at work on this machine; then this one is refused with its name, which is what is tested here too.
        let Ok(first) = Lock::take("a test") else { return };
        let refused = Lock::take("another test").unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}, a test, since ", process::id())), "{refused}");
        drop(first);
        Lock::take("the next").unwrap();
    }
}
