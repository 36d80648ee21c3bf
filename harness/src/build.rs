//! Builds the binaries that a run needs, each alone, and describes exactly what came out.

use serde::{Deserialize, Serialize};

/// An exact binary and how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The target it serves as.
    pub target: String,
    /// The package; empty for a foreign server.
    pub package: String,
    /// Build profile; empty for a foreign server.
    pub profile: String,
    /// Extra compiler flags, from RUSTFLAGS.
    pub flags: String,
    /// `rustc --version`; empty for a foreign server.
    pub rustc: String,
    /// SHA-256 of the binary, hexadecimal.
    pub sha256: String,
    /// Size of the binary, bytes.
    pub size_bytes: u64,
    /// SHA-256 of Cargo.lock, hexadecimal; empty for a foreign server.
    pub lock_sha256: String,
}
