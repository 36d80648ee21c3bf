//! How many connections this process and its children may hold open: the limit of open files (getrlimit(2)).

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Open files that a process needs besides its connections: listeners, logs, pipes, libraries, a database.
const OTHER_FILES: u64 = 128;

/// Allows this process, and the children that it starts from now on, as many open files as an unprivileged process may
/// have.
pub fn raise() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Where this fails the soft limit stands, and `connections_max` tells it.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The most connections that one process can hold.
#[must_use]
pub fn connections_max() -> u32 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u32::MAX, |(soft, _)| connections_within(soft))
}

/// The most connections within a limit of open files.
fn connections_within(files: u64) -> u32 {
    u32::try_from(files.saturating_sub(OTHER_FILES).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_kept_for_other_things() {
        for (files, connections) in [(1024, 896), (20_000, 19_872), (100, 1), (u64::MAX, u32::MAX)] {
            assert_eq!(connections_within(files), connections, "{files}");
        }
    }
}
