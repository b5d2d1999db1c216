//! Programs of simulated hosts: what a test says they do.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::process::{Ended, How, Input, Program, RunError};

/// What a simulated program does: how long it takes, and how it ends.
pub type Behaviour = dyn Fn(&Program, &[u8]) -> (Duration, Ended) + Send + Sync;

/// Programs by host and path.
type Installed = BTreeMap<(IpAddr, PathBuf), Arc<Behaviour>>;

/// All programs of all hosts.
#[derive(Clone, Default)]
pub(crate) struct Programs(Arc<Mutex<Installed>>);

impl Programs {
    pub(crate) fn install(&self, host: IpAddr, path: &Path, behaviour: Arc<Behaviour>) {
        let mut programs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        programs.insert((host, path.to_owned()), behaviour);
    }

    pub(crate) async fn run(
        &self,
        host: IpAddr,
        program: &Program,
        input: &mut dyn Input,
    ) -> Result<Ended, RunError> {
        let known = {
            let programs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            programs.get(&(host, program.path.clone())).cloned()
        };
        let Some(behaviour) = known else {
            let (program, source) = (program.path.clone(), io::ErrorKind::NotFound.into());
            return Err(RunError::NotStarted { program, source });
        };
        let mut octets = Vec::new();
        while let Some(piece) = input.next().await.map_err(RunError::Input)? {
            octets.extend_from_slice(&piece);
        }
        let (takes, mut ended) = behaviour(program, &octets);
        if takes > program.timeout {
            tokio::time::sleep(program.timeout).await;
            return Ok(Ended { how: How::TimedOut, output: Vec::new() });
        }
        tokio::time::sleep(takes).await;
        ended.output.truncate(program.output_max);
        Ok(ended)
    }
}
