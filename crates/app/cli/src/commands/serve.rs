//! `mailwright serve`.

use std::path::PathBuf;

use clap::Args;
use mta::{
    Agent,
    config::{Config, LogFormat, LogLevel},
    events::{self, Format},
};
use tracing::Level;

use crate::{outside, problem::Problem, server::Place};

/// Run the transfer agent
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    place: Place,
}

impl Serve {
    pub fn run(self) -> Result<(), Problem> {
        let config = self.place.load()?;
        let format = match config.log.format {
            LogFormat::Auto => Format::Auto,
            LogFormat::Human => Format::Text,
            LogFormat::Json => Format::Json,
        };
        let log = events::install(format, level(config.log.level))
            .map_err(|error| Problem::from_error(&error))?;
        // With huge pages a few octets in use hold 2 MiB: a message of 50 MB took 10 to 25 MiB of memory
        // instead of 2, and it was no faster. An old kernel, or a container, may not know the call.
        if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
            tracing::debug!(%error, "huge pages are left as they are: more memory is used");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Problem::from_error(&error))?;
        let done = runtime.block_on(self.serve(config));
        drop(log);
        done
    }

    async fn serve(&self, config: Config) -> Result<(), Problem> {
        let world = outside::world(&outside::resolver(&config))?;
        let place = &self.place;
        let read = || place.load().map_err(|problem| problem.in_short());
        let file: Option<PathBuf> = place.config.clone();
        let first = file.is_none();
        let done = mta::run::run(world, config, file, read, |agent| announce(agent, first)).await;
        done.map_err(|error| Problem::from_error(&error))
    }
}

fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    }
}

/// What runs, where its data is, and what to try next.
fn announce(agent: &Agent, first: bool) {
    let config = agent.queue.context.config();
    crate::output::announce!(
        "Mailwright {} is running as {}",
        env!("CARGO_PKG_VERSION"),
        config.config.hostname
    );
    let listening = agent.listening();
    for (address, _, role) in &listening {
        crate::output::announce!("  {role:<11} {}", mta::agent::place(address));
    }
    crate::output::announce!("  data        {}", config.config.data.display());
    let mx = listening.iter().filter(|(_, _, role)| *role == "mx");
    let mx = mx.filter_map(|(address, ..)| address.socket()).next();
    if let (true, Some(address)) = (first, mx) {
        let program = std::env::args().next().unwrap_or_else(|| "mailwright".to_owned());
        crate::output::announce!(
            "Try: {program} send -s {} -p {} -f you@localhost -t postmaster@localhost -a Hello -h -b 'It works.' -d",
            address.ip(),
            address.port()
        );
    }
}
