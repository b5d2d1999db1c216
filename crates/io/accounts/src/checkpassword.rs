//! Programs with the checkpassword interface (cr.yp.to/checkpwd/interface.html).
//!
//! The program reads name, password and a timestamp from descriptor 3, each with a NUL behind it. It ends
//! with 1 if the password is wrong, with 111 if it can't tell now, with 2 if it was misused; else it runs
//! the program of its arguments, which is /bin/true here and ends with 0.

use std::{collections::BTreeMap, io, path::PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;
use world::{
    World,
    process::{Ended, How, Input, Program},
};

use crate::{Account, Verdict, saslauthd::silent, settings::CheckpasswordSettings};

/// The interface's own limit.
const INPUT_MAX: usize = 512;
/// What it writes goes to the operator.
const OUTPUT_MAX: usize = 1_024;
/// Descriptor 3 is what our pipe becomes; its words are the same for every login, and no part of a name or
/// a password is in them.
const MOVE_TO_3: &str = "exec 3<&0 </dev/null; exec \"$@\"";

/// A back end.
#[derive(Debug)]
pub struct Checkpassword {
    settings: CheckpasswordSettings,
    places: Semaphore,
}

struct Once(Option<Bytes>);

#[async_trait]
impl Input for Once {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        Ok(self.0.take())
    }
}

impl Checkpassword {
    /// Runs that program.
    pub fn new(settings: CheckpasswordSettings) -> Self {
        let places = Semaphore::new(settings.programs_max.max(1) as usize);
        Self { settings, places }
    }

    /// Is it his password?
    pub async fn verify(&self, world: &World, name: &str, password: &str) -> Verdict {
        let input = format!("{name}\0{password}\0Y0\0");
        if input.len() > INPUT_MAX || name.contains('\0') || password.contains('\0') {
            return Verdict::no("checkpassword takes no such name or password");
        }
        let Ok(_place) = self.places.acquire().await else {
            return Verdict::Unavailable("it is being closed".to_owned());
        };
        let program = self.program();
        let shown = self.settings.command.first().map_or("", String::as_str);
        let ended = match world.run(&program, &mut Once(Some(input.into()))).await {
            Ok(ended) => ended,
            Err(error) => return Verdict::Unavailable(format!("`{shown}`: {error}")),
        };
        let Ended { how, output } = ended;
        let words = String::from_utf8_lossy(&output);
        let said = match words.lines().next() {
            Some(line) => format!(", and says `{}`", line.escape_debug()),
            None => String::new(),
        };
        match how {
            How::Status(0) => Verdict::Yes(Account { name: name.to_owned(), ..Account::default() }),
            How::Status(1) => Verdict::no(format!("`{shown}` ends with 1: wrong{said}")),
            How::TimedOut => Verdict::Unavailable(silent(shown, self.settings.patience)),
            How::Status(status) => {
                Verdict::Unavailable(format!("`{shown}` ends with {status}{said}"))
            }
            How::Signal(signal) => {
                Verdict::Unavailable(format!("`{shown}` was ended by signal {signal}{said}"))
            }
        }
    }

    fn program(&self) -> Program {
        let mut arguments = vec!["-c".to_owned(), MOVE_TO_3.to_owned(), "checkpassword".to_owned()];
        arguments.extend(self.settings.command.iter().cloned());
        arguments.push("/bin/true".to_owned());
        Program {
            path: PathBuf::from("/bin/sh"),
            arguments,
            environment: BTreeMap::from([(
                "PATH".to_owned(),
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            )]),
            directory: PathBuf::from("/"),
            user: self.settings.user.clone(),
            timeout: self.settings.patience,
            output_max: OUTPUT_MAX,
        }
    }
}
