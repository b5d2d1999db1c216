//! Programs of this machine: run with octets on their standard input until they end.
//!
//! A program is what [`Program`] says and nothing else: no shell, no inherited environment, no open files.
//! It runs in a process group of its own, which is killed as a whole when its time is over or when
//! nobody waits for it any more. Where the network is simulated, so are the programs
//! ([`crate::sim::SimWorld::program`]).

mod real;

use std::{collections::BTreeMap, io, path::PathBuf, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{World, net::Net};

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// An absolute path.
    pub path: PathBuf,
    /// Behind the name of the program itself.
    pub arguments: Vec<String>,
    /// All of it.
    pub environment: BTreeMap<String, String>,
    /// Where it runs.
    pub directory: PathBuf,
    /// As whom: a name of the system's user table, or `UID:GID`; ourselves if none.
    pub user: Option<String>,
    /// It is killed after so long.
    pub timeout: Duration,
    /// Octets of its output that are kept; more are read and dropped.
    pub output_max: usize,
}

/// Where a program's standard input comes from.
#[async_trait]
pub trait Input: Send {
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> io::Result<Option<Bytes>>;
}

/// A program that has ended, or was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub how: How,
    /// What it wrote to standard output and standard error, in the order in which it came.
    pub output: Vec<u8>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By itself, with that status.
    Status(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// We killed it: its time was over.
    TimedOut,
}

/// Why a program has not run as it should.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be started.
    #[error("cannot run `{}`", program.display())]
    NotStarted {
        /// Its path.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no such user.
    #[error("there is no user `{0}` on this machine")]
    NoSuchUser(String),
    /// Our own source failed: the program was killed before it could take a part for the whole.
    #[error("what it was to be given can't be read")]
    Input(#[source] io::Error),
}

impl World {
    /// Runs a program to its end. Dropping the future kills it.
    ///
    /// # Errors
    /// It was not started, or its input failed.
    pub async fn run(&self, program: &Program, input: &mut dyn Input) -> Result<Ended, RunError> {
        match &self.net {
            Net::Real => real::run(program, input).await,
            Net::Sim(host) => host.run(program, input).await,
        }
    }
}
