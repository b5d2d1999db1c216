//! What a server said of itself, read from the transcript of a visit: greeting, and what EHLO offered in clear
//! and under TLS. One connection shows both, as EHLO is said anew after STARTTLS (RFC 3207 section 4.2).

use std::time::Duration;

use serde::Serialize;
use smtp::{Party, Transcript};

/// What an EHLO reply offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Each line behind the server's name, as sent: keyword and parameters.
    pub keywords: Vec<String>,
}

/// What the transcript shows.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) connected: Option<Duration>,
    pub(super) greeted: Option<Duration>,
    pub(super) banner: Option<String>,
    pub(super) in_clear: Option<Offer>,
    pub(super) under_tls: Option<Offer>,
}

impl Offer {
    /// The SASL mechanisms, those of `AUTH=` too.
    pub fn mechanisms(&self) -> Vec<&str> {
        let mut mechanisms = Vec::new();
        for line in &self.keywords {
            let Some((keyword, rest)) = line.split_once([' ', '=']) else { continue };
            if keyword.eq_ignore_ascii_case("AUTH") {
                mechanisms.extend(rest.split_ascii_whitespace());
            }
        }
        mechanisms.dedup();
        mechanisms
    }

    /// Whether a keyword is there, in any case.
    pub fn has(&self, keyword: &str) -> bool {
        let is_it = |line: &String| {
            line.split([' ', '=']).next().is_some_and(|own| own.eq_ignore_ascii_case(keyword))
        };
        self.keywords.iter().any(is_it)
    }
}

/// Reads a transcript of the client machine's.
pub(super) fn read(transcript: &Transcript) -> Heard {
    let mut heard = Heard::default();
    let (mut spoken, mut tls, mut of_ehlo) = (false, false, false);
    for line in transcript.lines() {
        let text = String::from_utf8_lossy(line.text);
        match line.by {
            Party::Note if text.starts_with("connected to ") => {
                (spoken, tls, of_ehlo) = (false, false, false);
                heard.connected.get_or_insert(line.at);
            }
            Party::Note => tls |= text.starts_with("TLS established"),
            Party::Client => {
                spoken = true;
                let verb = text.split(' ').next().unwrap_or_default();
                of_ehlo = verb == "EHLO" || verb == "HELO";
                let slot = if tls { &mut heard.under_tls } else { &mut heard.in_clear };
                // A second EHLO of the same kind is a second try: the first one counts.
                of_ehlo &= slot.is_none();
            }
            Party::Server if !spoken => {
                heard.greeted.get_or_insert(line.at);
                heard.banner.get_or_insert_with(|| text.into_owned());
            }
            Party::Server if of_ehlo && text.starts_with("250") => {
                let slot = if tls { &mut heard.under_tls } else { &mut heard.in_clear };
                match slot {
                    // The first line is the server's name (RFC 5321 section 4.1.1.1).
                    None => *slot = Some(Offer::default()),
                    Some(offer) => {
                        offer.keywords.push(text.get(4..).unwrap_or_default().trim().to_owned());
                    }
                }
            }
            Party::Server => {}
        }
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_offers_of_one_connection() {
        let mut transcript = Transcript::default();
        for (ms, by, text) in [
            (12, Party::Note, "connected to mx.b.test [192.0.2.2]:25 from 192.0.2.1:4000"),
            (40, Party::Server, "220 mx.b.test ESMTP"),
            (40, Party::Client, "EHLO a.test"),
            (60, Party::Server, "250-mx.b.test"),
            (60, Party::Server, "250-auth=LOGIN"),
            (60, Party::Server, "250 STARTTLS"),
            (60, Party::Client, "STARTTLS"),
            (70, Party::Server, "220 go"),
            (80, Party::Note, "TLS established: TLSv1.3"),
            (80, Party::Client, "EHLO a.test"),
            (90, Party::Server, "250-mx.b.test"),
            (90, Party::Server, "250 AUTH PLAIN LOGIN"),
        ] {
            transcript.record(Duration::from_millis(ms), by, text);
        }
        let heard = read(&transcript);
        assert_eq!(heard.connected, Some(Duration::from_millis(12)));
        assert_eq!(heard.greeted, Some(Duration::from_millis(40)));
        assert_eq!(heard.banner.as_deref(), Some("220 mx.b.test ESMTP"));
        let (clear, tls) = (heard.in_clear.unwrap(), heard.under_tls.unwrap());
        assert_eq!(clear.mechanisms(), ["LOGIN"]);
        assert!(clear.has("starttls") && !tls.has("STARTTLS"));
        assert_eq!(tls.mechanisms(), ["PLAIN", "LOGIN"]);
    }
}
