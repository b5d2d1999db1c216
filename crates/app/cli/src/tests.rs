//! The words of the command line.

use clap::CommandFactory;

#[test]
fn the_arguments_are_consistent() {
    crate::Cli::command().debug_assert();
}
