//! `mailwright`: the transfer agent, and the hands of those who run one.
//!
//! A command reads its arguments, calls a crate that does the work, and shows what came of it. The work
//! itself is nowhere in here.

// `println!` panics where nobody reads any more (`| head`): `output::say!` does not.
#![deny(clippy::print_stdout)]

mod commands;
mod evidence;
mod output;
mod outside;
mod problem;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A mail transfer agent that can explain itself.
#[derive(Debug, Parser)]
#[command(name = "mailwright", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(commands::serve::Serve),
    Config(commands::config::Config),
    User(commands::user::User),
    Queue(commands::queue::Queue),
    Status(commands::status::Status),
    Stop(commands::stop::Stop),
    Reload(commands::reload::Reload),
    Why(commands::why::Why),
    Door(commands::door::Door),
    Spool(commands::spool::Spool),
    Send(commands::send::Send),
    Shell(commands::shell::Shell),
    Mx(commands::mx::Mx),
    Probe(commands::probe::Probe),
    Analyze(commands::analyze::Analyze),
    Compare(commands::compare::Compare),
    TlsReport(commands::tls_report::TlsReport),
    Explain(commands::explain::Explain),
    Lab(commands::lab::Lab),
    Completions(commands::completions::Completions),
}

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => {
            // There is nowhere to report that standard error is closed.
            let _ = error.print();
            let is_wrong = error.use_stderr();
            return if is_wrong { commands::send::EX_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let done = match command {
        Command::Serve(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::User(command) => command.run(),
        Command::Queue(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Stop(command) => command.run(),
        Command::Reload(command) => command.run(),
        Command::Why(command) => command.run(),
        Command::Door(command) => command.run(),
        Command::Spool(command) => command.run(),
        Command::Send(command) => return status(command.run()),
        Command::Shell(command) => return status(command.run()),
        Command::Mx(command) => return status(command.run()),
        Command::Probe(command) => return status(command.run()),
        Command::Analyze(command) => return status(command.run()),
        Command::Compare(command) => return status(command.run()),
        Command::TlsReport(command) => command.run(),
        Command::Explain(command) => return status(command.run()),
        Command::Lab(command) => command.run(),
        Command::Completions(command) => command.run(),
    };
    done.map_or_else(
        |problem| {
            problem.show();
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Of commands whose exit status says what came of them.
fn status(done: Result<ExitCode, commands::send::Failed>) -> ExitCode {
    done.unwrap_or_else(|failed| {
        failed.problem.show();
        ExitCode::from(failed.status)
    })
}

#[cfg(test)]
mod tests;
