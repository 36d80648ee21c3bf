//! `cargo xtask completions`: the script by which a shell completes this command line.

use std::{io, process::ExitCode};

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Cargo completes its own commands only, so give the program a name of its own first.

Examples:
  alias xtask='cargo xtask'
  cargo xtask completions bash > ~/.local/share/bash-completion/completions/xtask
  cargo xtask completions fish > ~/.config/fish/completions/xtask.fish")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<ExitCode> {
        clap_complete::generate(self.shell, &mut crate::Arguments::command(), "xtask", &mut io::stdout());
        Ok(ExitCode::SUCCESS)
    }
}
