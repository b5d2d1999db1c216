//! Cyrus's saslauthd: strings with a length of two octets in front, over a Unix socket.
//!
//! ```text
//! -> name, password, service, realm        <- "OK ..." or "NO ..."
//! ```
//!
//! A connection is for one question. `NO` is all it says, whether the password is wrong or PAM is broken;
//! that it can't be reached or hangs up without a word is what can be told from that.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use world::World;

use crate::{Account, Verdict, settings::SaslauthdSettings};

/// Its own limits (`MAX_REQ_LEN` in its sources) are 1,024 or less in all releases.
const STRING_MAX: usize = 1_000;
/// Its answer's length is what a stranger's program says.
const ANSWER_MAX: usize = 4_096;

/// A back end.
#[derive(Debug)]
pub struct Saslauthd {
    settings: SaslauthdSettings,
}

impl Saslauthd {
    /// Asks that socket.
    pub fn new(settings: SaslauthdSettings) -> Self {
        Self { settings }
    }

    /// Is it his password?
    pub async fn verify(&self, world: &World, name: &str, password: &str) -> Verdict {
        let (login, realm) = match name.rsplit_once('@') {
            Some((local, domain)) if self.settings.split_domain => (local, domain),
            _ => (name, ""),
        };
        let strings = [login, password, &self.settings.service, realm];
        if strings.iter().any(|string| string.len() > STRING_MAX || string.contains('\0')) {
            return Verdict::no("saslauthd takes no such name or password");
        }
        let asked = timeout(self.settings.patience, self.ask(world, &strings)).await;
        let socket = self.settings.socket.display();
        match asked {
            Ok(Ok(answer)) if answer.starts_with("OK") => {
                Verdict::Yes(Account { name: name.to_owned(), ..Account::default() })
            }
            Ok(Ok(answer)) if answer.starts_with("NO") => {
                Verdict::no(format!("saslauthd at {socket} says `{}`", answer.escape_debug()))
            }
            Ok(Ok(_)) => Verdict::Unavailable(format!("{socket} speaks another protocol")),
            Ok(Err(error)) => Verdict::Unavailable(format!("saslauthd at {socket}: {error}")),
            Err(_) => Verdict::Unavailable(silent(&socket.to_string(), self.settings.patience)),
        }
    }

    async fn ask(&self, world: &World, strings: &[&str]) -> io::Result<String> {
        let mut stream = world.net.connect_unix(&self.settings.socket).await?;
        let mut question = Vec::new();
        for string in strings {
            // At most STRING_MAX.
            question.extend_from_slice(&(string.len() as u16).to_be_bytes());
            question.extend_from_slice(string.as_bytes());
        }
        stream.write_all(&question).await?;
        stream.flush().await?;
        let mut length = [0; 2];
        stream.read_exact(&mut length).await?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length)).min(ANSWER_MAX)];
        stream.read_exact(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).trim_end_matches('\0').to_owned())
    }
}

pub(crate) fn silent(who: &str, patience: Duration) -> String {
    format!("{who} has not answered in {}", notation::units::show_duration(patience))
}
