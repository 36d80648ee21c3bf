//! Which CPUs workers run on: those that the process is allowed to use, in turn (sched_getaffinity(2)).

use std::io;

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// Binds the calling thread to the `index`-th of the CPUs it may use, counting on from the first after the last.
///
/// # Errors
/// Those of sched_setaffinity(2).
pub(crate) fn pin(index: usize) -> io::Result<()> {
    let this_thread = Pid::from_raw(0);
    let allowed = sched_getaffinity(this_thread)?;
    let cpus: Vec<_> = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).collect();
    let cpu = choose(&cpus, index).ok_or(io::ErrorKind::NotFound)?;
    let mut only = CpuSet::new();
    only.set(cpu)?;
    Ok(sched_setaffinity(this_thread, &only)?)
}

/// The `index`-th CPU, counting round.
fn choose(cpus: &[usize], index: usize) -> Option<usize> {
    cpus.get(index.checked_rem(cpus.len())?).copied()
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn cpus_are_taken_in_turn() {
        for (cpus, index, expected) in
            [(&[][..], 0, None), (&[3], 5, Some(3)), (&[1, 70, 200], 1, Some(70)), (&[1, 70, 200], 5, Some(200))]
        {
            assert_eq!(choose(cpus, index), expected, "{index} of {cpus:?}");
        }
    }
}
