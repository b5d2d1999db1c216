//! `mailwright completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::problem::Problem;

/// Print the completion script for a shell
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<(), Problem> {
        let mut command = crate::Cli::command();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "mailwright", &mut script);
        crate::output::put(&script);
        Ok(())
    }
}
