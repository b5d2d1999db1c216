//! Our own attempt as a session: the transcript's lines one to one, so that an index means the same in both.

use smtp::{Attempt, Cause, Outcome, Party, Stage, Trouble, transcript};

use crate::session::{
    Ending, Endpoint, Event, Kind, Line, Place, Session, Source, TlsSeen, Vantage,
};

impl From<&Attempt> for Session {
    fn from(attempt: &Attempt) -> Self {
        let mut reading = Reading { octets: 0, in_bdat: false };
        let never_connected = attempt.outcomes.iter().any(|(_, outcome)| is_no_connection(outcome));
        let mut lines: Vec<Line> =
            attempt.transcript.lines().map(|line| reading.line(&line)).collect();
        if never_connected && let Some(last) = lines.last_mut() {
            last.kind = Kind::Event(Event::NotConnected);
        }
        Self {
            source: Source::Own,
            vantage: Vantage::Client,
            client: Endpoint::default(),
            server: Endpoint {
                address: attempt.address.as_ref().and_then(|address| address.parse().ok()),
                name: Some(attempt.next_hop.clone()),
            },
            started: None,
            lines,
            wire: None,
            tls: attempt.tls.as_ref().map(tls),
            contents: Vec::new(),
        }
    }
}

fn is_no_connection(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Deferred(Cause {
            stage: Stage::Connect,
            trouble: Trouble::Network(_) | Trouble::Silence(_)
        }) | Outcome::Failed(Cause {
            stage: Stage::Connect,
            trouble: Trouble::Network(_) | Trouble::Silence(_)
        })
    )
}

fn tls(facts: &transcript::TlsFacts) -> TlsSeen {
    let part = |index: usize| facts.certificate.get(index).cloned().unwrap_or_default();
    TlsSeen {
        version: Some(facts.version.clone()),
        cipher: Some(facts.cipher.clone()),
        server_name: facts.server_name.clone(),
        certificates: if facts.certificate.is_empty() {
            Vec::new()
        } else {
            vec![(part(0), part(1))]
        },
        alerts: Vec::new(),
        decrypted: true,
    }
}

/// What has to be known of the lines before to read one.
struct Reading {
    /// Octets of content, as the remark before the final dot has them.
    octets: u64,
    in_bdat: bool,
}

impl Reading {
    fn line(&mut self, line: &transcript::Line<'_>) -> Line {
        let (mut by, kind) = match line.by {
            Party::Client => (Party::Client, self.client(line.text)),
            Party::Server => (Party::Server, Kind::Reply(Ending::Crlf)),
            Party::Note => self.note(&String::from_utf8_lossy(line.text)),
        };
        if matches!(kind, Kind::Event(Event::Remark)) {
            by = Party::Note;
        }
        Line { at: line.at, by, kind, text: line.text.to_vec(), place: Place::default() }
    }

    fn client(&mut self, text: &[u8]) -> Kind {
        match text {
            b"." => Kind::Content { octets: std::mem::take(&mut self.octets), finished: true },
            // How our machine shows a secret that stands on a line of its own.
            b"****" => Kind::SaslResponse,
            _ => {
                self.in_bdat = crate::dialogue::Verb::of(text) == crate::dialogue::Verb::Bdat;
                Kind::Command(Ending::Crlf)
            }
        }
    }

    /// The remarks of our machine and its driver.
    fn note(&mut self, text: &str) -> (Party, Kind) {
        if let Some(octets) = text
            .strip_prefix("content: ")
            .and_then(|rest| rest.strip_suffix(" octets")?.parse().ok())
        {
            self.octets = octets;
            if self.in_bdat {
                return (Party::Client, Kind::Blob { octets, announced: octets });
            }
        }
        let is_closed = text == "the connection was closed by the peer"
            || text == "connection closed by peer"
            || text == "the connection was closed";
        let event = if text.starts_with("connected to ") {
            (Party::Client, Event::Connected)
        } else if text.starts_with("TLS established") {
            (Party::Client, Event::TlsEstablished)
        } else if is_closed {
            (Party::Server, Event::Closed)
        } else if text.starts_with("network: ") && text.to_lowercase().contains("reset") {
            (Party::Server, Event::Reset)
        } else {
            (Party::Note, Event::Remark)
        };
        (event.0, Kind::Event(event.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{bob, transcript};

    #[test]
    fn line_by_line() {
        let attempt = Attempt {
            next_hop: "mx1.b.test".into(),
            address: Some("192.0.2.25:25".into()),
            route: Vec::new(),
            transcript: transcript(
                "-: connected to mx1.b.test\nS: 220 r\nC: AUTH LOGIN\nS: 334 x\nC: ****\nS: 235 ok\nC: DATA\n\
                 S: 354 go\n-: content: 17 octets\nC: .\n-: network: connection reset by peer",
            ),
            tls: None,
            outcomes: vec![(
                bob(),
                Outcome::Deferred(Cause { stage: Stage::EndOfData, trouble: Trouble::Closed }),
            )],
        };
        let session = Session::from(&attempt);
        let kinds: Vec<Kind> = session.lines.iter().map(|line| line.kind).collect();
        let (command, reply) = (Kind::Command(Ending::Crlf), Kind::Reply(Ending::Crlf));
        assert_eq!(
            kinds,
            [
                Kind::Event(Event::Connected),
                reply,
                command,
                reply,
                Kind::SaslResponse,
                reply,
                command,
                reply,
                Kind::Event(Event::Remark),
                Kind::Content { octets: 17, finished: true },
                Kind::Event(Event::Reset),
            ]
        );
        assert_eq!(session.lines.last().map(|line| line.by), Some(Party::Server));
    }
}
