//! Decides which CPUs serve, which generate load and which hold a private database.

use anyhow::{Result, bail};
use probe::suite::Placement;

/// Splits the CPUs: the first half serves, the second half generates load.
///
/// From four CPUs on, a private database gets the last CPU of the serving half's side for itself; below that it shares
/// the generator's, which waits for the database's answers anyway.
///
/// # Errors
/// With fewer than two CPUs: server and generator would take turns, and every figure would be theirs together.
pub fn split(cpus: &[usize], private_database: bool) -> Result<Placement> {
    if cpus.len() < 2 {
        bail!(
            "times cannot be measured with {} CPU: the server and the load generator would share it. Give this \
             process at least two (see taskset(1) and your container's CPU set); `cargo xtask doctor` tells more",
            cpus.len()
        );
    }
    let own_database_cpu = private_database && cpus.len() >= 4;
    let (rest, database) = if own_database_cpu { cpus.split_at(cpus.len() - 1) } else { (cpus, &[][..]) };
    let (server, generator) = rest.split_at(rest.len() / 2);
    let database = match (private_database, own_database_cpu) {
        (true, true) => database.to_vec(),
        (true, false) => generator.to_vec(),
        (false, _) => Vec::new(),
    };
    Ok(Placement { server: server.to_vec(), generator: generator.to_vec(), database })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_split_in_halves() {
        /// CPUs there are, whether a private database runs; then CPUs of server, generator and database.
        type Row = (&'static [usize], bool, &'static [usize], &'static [usize], &'static [usize]);
        const ROWS: &[Row] = &[
            (&[0, 1], false, &[0], &[1], &[]),
            (&[0, 1], true, &[0], &[1], &[1]),
            (&[2, 3, 5], false, &[2], &[3, 5], &[]),
            (&[0, 1, 2, 3], true, &[0], &[1, 2], &[3]),
            (&[0, 1, 2, 3, 4, 5, 6, 7], false, &[0, 1, 2, 3], &[4, 5, 6, 7], &[]),
        ];
        for (cpus, private, server, generator, database) in ROWS {
            let placement = split(cpus, *private).unwrap();
            assert_eq!(placement.server, *server, "{cpus:?}");
            assert_eq!(placement.generator, *generator, "{cpus:?}");
            assert_eq!(placement.database, *database, "{cpus:?}");
        }
    }

    #[test]
    fn one_cpu_cannot_time() {
        for cpus in [&[][..], &[3]] {
            assert!(split(cpus, false).unwrap_err().to_string().contains("doctor"));
        }
    }
}
