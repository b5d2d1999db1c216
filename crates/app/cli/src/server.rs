//! Finding the configuration, and the running server by it.

use std::{
    future::Future,
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use mta::{
    config::Config,
    handle::{Client, Request, Response},
};

use crate::problem::Problem;

/// Which server is meant.
#[derive(Clone, Debug, Default, Args)]
pub struct Place {
    /// Configuration file [default: none, built-in values]
    #[arg(long, value_name = "FILE", env = "MAILWRIGHT_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Data directory, instead of the configured one
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Place {
    /// The configuration; its warnings go to standard error.
    pub fn load(&self) -> Result<Config, Problem> {
        let mut config = match &self.config {
            None => Config::default(),
            Some(path) => {
                let (config, warnings) = Config::load(path)?;
                // It was readable a moment ago; without its text the warnings lose their place only.
                let text = std::fs::read_to_string(path).unwrap_or_default();
                Problem::warnings(path, &text, warnings).show();
                config
            }
        };
        if let Some(data) = &self.data {
            config.data.clone_from(data);
        }
        Ok(config)
    }

    /// The text of the configuration file; empty without one.
    pub fn text(&self) -> Result<String, Problem> {
        let Some(path) = &self.config else { return Ok(String::new()) };
        std::fs::read_to_string(path)
            .map_err(|error| Problem::new(format!("cannot read `{}`: {error}", path.display())))
    }

    /// The running server's socket. A configuration that has errors by now doesn't keep anybody from
    /// stopping the server that runs with the one before: then `--data` is enough.
    fn socket(&self) -> Result<PathBuf, Problem> {
        match (&self.data, self.load()) {
            (_, Ok(config)) => Ok(config.control_socket()),
            (Some(data), Err(_)) => Ok(data.join("control.sock")),
            (None, Err(problem)) => Err(problem),
        }
    }

    /// Asks the running server one thing; `each` sees all responses but the last.
    pub fn ask(
        &self,
        request: &Request,
        each: impl FnMut(Response),
    ) -> Result<(u64, Vec<String>), Problem> {
        let socket = self.socket()?;
        block_on(async { Ok(Client::connect(&socket).await?.ask(request, each).await?) })
    }

    /// Writes a message's content to a file, or to standard output.
    pub fn export(&self, id: &str, out: Option<&Path>) -> Result<u64, Problem> {
        let socket = self.socket()?;
        block_on(async {
            let mut client = Client::connect(&socket).await?;
            Ok(match out {
                None => client.export(id, &mut tokio::io::stdout()).await?,
                Some(path) => {
                    let mut file = tokio::fs::File::create_new(path).await.map_err(|error| {
                        Problem::new(format!("cannot create `{}`: {error}", path.display()))
                    })?;
                    client.export(id, &mut file).await?
                }
            })
        })
    }
}

/// Runs one thing to its end on this thread.
pub fn block_on<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Problem::from_error(&error))?;
    let done = runtime.block_on(work);
    // What was printed must be out before an error is.
    std::io::stdout().flush().map_err(|error| Problem::from_error(&error))?;
    done
}
