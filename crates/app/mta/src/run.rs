//! The process: signals, the control socket, reload and the end.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use world::World;

use crate::{
    Agent, Pace, StartError,
    config::Config,
    control::{self, Granted, Wish},
};

/// Attempts and sessions under way may take so long to finish when the process ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who may open the control socket: this user, who may do everything.
const CONTROL_MODE: u32 = 0o600;

/// Runs until told to stop. `started` is called once mail is accepted.
pub async fn run(
    world: World,
    config: Config,
    file: Option<PathBuf>,
    read: impl Fn() -> Result<Config, String>,
    started: impl FnOnce(&Agent),
) -> Result<(), StartError> {
    let socket = config.control_socket();
    let agent = Agent::start(config, world.clone(), Pace::Thread).await?;
    let listener = world
        .net
        .listen_unix(&socket, CONTROL_MODE)
        .map_err(|source| StartError::Data { path: socket.clone(), source })?;
    let (wishes, mut wished) = mpsc::channel(4);
    let desk = control::serve(agent.clone(), listener, file, wishes);
    let desk = tokio::spawn(desk);
    started(&agent);
    let stop_now = attend(&agent, &read, &mut wished).await;
    let patience = if stop_now { Duration::ZERO } else { PATIENCE };
    desk.abort();
    agent.stop(patience).await;
    if let Err(error) = std::fs::remove_file(&socket) {
        tracing::debug!(%error, "control socket not removed");
    }
    Ok(())
}

/// Signals and wishes, until one of them is the end; true if it shall be at once.
async fn attend(
    agent: &Arc<Agent>,
    read: &impl Fn() -> Result<Config, String>,
    wished: &mut mpsc::Receiver<(Wish, tokio::sync::oneshot::Sender<Granted>)>,
) -> bool {
    let listen = |kind| signal(kind).expect("signals can be listened to");
    let mut hang_up = listen(SignalKind::hangup());
    let mut terminate = listen(SignalKind::terminate());
    let mut interrupt = listen(SignalKind::interrupt());
    loop {
        let (wish, tell) = tokio::select! {
            biased;
            _ = terminate.recv() => (Wish::Stop, None),
            _ = interrupt.recv() => (Wish::Stop, None),
            _ = hang_up.recv() => (Wish::Reload, None),
            wish = wished.recv() => match wish {
                Some((wish, tell)) => (wish, Some(tell)),
                None => (Wish::Stop, None),
            },
        };
        let result = match wish {
            Wish::Reload => reload(agent, read).await,
            Wish::Stop | Wish::StopNow => Ok(Vec::new()),
        };
        if let Err(why) = &result {
            tracing::error!(why, "configuration not taken into use; the old one stays");
        }
        // Whoever asked may have gone: then nobody needs the answer.
        let _told = tell.map(|tell| tell.send(result));
        match wish {
            Wish::Reload => {}
            Wish::Stop => return false,
            Wish::StopNow => return true,
        }
    }
}

async fn reload(agent: &Arc<Agent>, read: &impl Fn() -> Result<Config, String>) -> Granted {
    let config = read()?;
    let waiting =
        agent.reload(config).await.map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })?;
    tracing::info!("configuration taken into use");
    for key in &waiting {
        tracing::warn!(key, "changed, and waits for a restart");
    }
    Ok(waiting.iter().map(|key| format!("`{key}` has changed, and waits for a restart")).collect())
}
