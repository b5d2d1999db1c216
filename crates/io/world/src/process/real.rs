//! Programs as processes of this machine.

use std::{
    io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, Command},
    time::timeout,
};

use super::{Ended, How, Input, Program, RunError};

const USERS: &str = "/etc/passwd";

pub(super) async fn run(program: &Program, input: &mut dyn Input) -> Result<Ended, RunError> {
    let mut child = Group(start(program)?);
    let (stdin, stdout, stderr) =
        (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    let mut output = Vec::new();
    let work = async {
        let sorted = tokio::sync::Mutex::new((&mut output, program.output_max));
        // All at once: it may write before it has read everything, and wait for us to take it.
        let (fed, (), ()) =
            tokio::join!(feed(stdin, input), collect(stdout, &sorted), collect(stderr, &sorted));
        fed?;
        child.0.wait().await.map_err(|source| not_started(program, source))
    };
    let worked = timeout(program.timeout, work).await;
    match worked {
        Ok(Ok(status)) => {
            let how = match (status.code(), status.signal()) {
                (Some(code), _) => How::Status(code),
                (None, signal) => How::Signal(signal.unwrap_or(0)),
            };
            Ok(Ended { how, output })
        }
        Ok(Err(error)) => Err(error),
        Err(_) => {
            drop(child);
            Ok(Ended { how: How::TimedOut, output })
        }
    }
}

fn start(program: &Program) -> Result<Child, RunError> {
    let mut command = std::process::Command::new(&program.path);
    command
        .args(&program.arguments)
        .env_clear()
        .envs(&program.environment)
        .current_dir(&program.directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(user) = &program.user {
        let (uid, gid) = identity(user)?;
        // As root this gives up all supplementary groups too.
        command.uid(uid).gid(gid);
    }
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command.spawn().map_err(|source| not_started(program, source))
}

fn not_started(program: &Program, source: io::Error) -> RunError {
    RunError::NotStarted { program: program.path.clone(), source }
}

/// A child and all that it started.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Once it was waited for there is no id any more, and the number may be somebody else's.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            // It may just have ended by itself.
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

async fn feed(stdin: Option<ChildStdin>, input: &mut dyn Input) -> Result<(), RunError> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    while let Some(piece) = input.next().await.map_err(RunError::Input)? {
        if stdin.write_all(&piece).await.is_err() {
            // It does not read on: its status says whether that was meant.
            return Ok(());
        }
    }
    // Closed by the drop, which tells it the end.
    Ok(())
}

async fn collect(
    pipe: Option<impl AsyncRead + Unpin>,
    kept: &tokio::sync::Mutex<(&mut Vec<u8>, usize)>,
) {
    let Some(mut pipe) = pipe else { return };
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = pipe.read(&mut piece).await {
        let (output, max) = &mut *kept.lock().await;
        let room = max.saturating_sub(output.len()).min(count);
        output.extend_from_slice(&piece[..room]);
    }
}

/// The numbers of a user: `UID:GID`, or of passwd(5).
fn identity(user: &str) -> Result<(u32, u32), RunError> {
    let none = || RunError::NoSuchUser(user.to_owned());
    if let Some((uid, gid)) = user.split_once(':') {
        return Ok((uid.parse().map_err(|_| none())?, gid.parse().map_err(|_| none())?));
    }
    let users = std::fs::read_to_string(USERS).map_err(|_| none())?;
    users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&user))
        .and_then(|fields| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))
        .ok_or_else(none)
}
