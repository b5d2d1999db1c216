//! Putting a session together from lines whose speaker is known.
//!
//! What is command, SASL response or content follows from the lines before; secrets are struck out
//! here, before a line enters the session.

use std::time::Duration;

use smtp::Party;

use crate::session::{Ending, Event, Kind, Line, Place, Session, Vantage};

/// Lines of one session that are kept; a log may go on with one for days.
const LINES_MAX: usize = 20_000;
/// Octets of a line that are kept.
const LINE_LENGTH_MAX: usize = 4 * 1024;
/// Octets of content that are kept.
const CONTENT_KEPT_MAX: usize = 1024;
/// What stands for a secret.
const STRUCK_OUT: &[u8] = b"****";

/// A session that is being put together.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    session: Session,
    /// AUTH was said and its final reply has not come.
    authenticating: bool,
    /// The last reply asked for more: 334.
    is_challenged: bool,
    /// 354 was said, and the final dot was not.
    in_content: bool,
    /// The session went on beyond what is kept.
    is_cut: bool,
    /// Replies that were said.
    replies: u64,
    /// What was said last; kept apart, so that nobody walks back over a long session's remarks.
    last: Last,
}

/// What was said last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Nothing,
    /// A command that is answered by `220`.
    StartTls,
    /// Another command, a SASL response, content.
    Client,
    /// `220-...`: a greeting that goes on.
    Greeting,
    /// Another line of a reply, and whether it was its last.
    Reply { is_final: bool },
}

impl Assembly {
    /// For a session of which source and vantage are known.
    pub fn new(session: Session) -> Self {
        Self { session, ..Self::default() }
    }

    /// The session so far.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the server said anything.
    pub fn has_replies(&self) -> bool {
        self.replies > 0
    }

    /// Whether a reply's last line was what was said last.
    pub fn is_answered(&self) -> bool {
        self.last == (Last::Reply { is_final: true })
    }

    /// Whether a `220` can only be another session's greeting: something was said, and it asks for
    /// no `220`.
    pub fn is_under_way(&self) -> bool {
        match self.last {
            Last::Nothing | Last::StartTls | Last::Greeting => false,
            // Pipelined before the greeting, or the greeting is not in the evidence.
            Last::Client => self.has_replies(),
            Last::Reply { .. } => true,
        }
    }

    /// Whether the client's next line is content.
    pub fn is_in_content(&self) -> bool {
        self.in_content
    }

    /// Whether the client's next line answers a challenge.
    pub fn is_challenged(&self) -> bool {
        self.is_challenged
    }

    /// A line of either side.
    pub fn said(&mut self, by: Party, at: Duration, text: &[u8], ending: Ending, place: Place) {
        match by {
            Party::Client => self.client(at, text, ending, place),
            Party::Server => self.server(at, text, ending, place),
            Party::Note => self.event(Party::Note, Event::Remark, at, text, place),
        }
    }

    /// Something that the connection did, or a remark.
    pub fn event(&mut self, by: Party, event: Event, at: Duration, text: &[u8], place: Place) {
        if event == Event::TlsEstablished {
            // Under TLS the dialogue begins anew.
            (self.authenticating, self.is_challenged, self.in_content) = (false, false, false);
        }
        self.push(by, Kind::Event(event), at, text, place);
    }

    /// The end of what is known.
    pub fn finish(mut self) -> Session {
        if self.is_cut {
            let last = self.session.lines.last().map(|line| (line.at, line.place));
            let (at, place) = last.unwrap_or_default();
            let text = b"the session goes on".to_vec();
            let kind = Kind::Event(Event::EvidenceEnds);
            self.session.lines.push(Line { at, by: Party::Note, kind, text, place });
        }
        self.session
    }

    fn client(&mut self, at: Duration, text: &[u8], ending: Ending, place: Place) {
        let asks_for_220 = is_verb(text, b"STARTTLS") || is_verb(text, b"X-ANONYMOUSTLS");
        self.last = if asks_for_220 { Last::StartTls } else { Last::Client };
        if self.in_content {
            return self.content_line(at, text, place);
        }
        if self.authenticating && (self.is_challenged || !is_command(text)) {
            self.is_challenged = false;
            // `*` gives the exchange up (RFC 4954 section 4); it is no secret.
            let shown = if text == b"*" { text } else { STRUCK_OUT };
            return self.push(Party::Client, Kind::SaslResponse, at, shown, place);
        }
        self.is_challenged = false;
        let struck = without_secret(text);
        if struck.is_some() || is_verb(text, b"AUTH") {
            self.authenticating = true;
        }
        let shown = struck.as_deref().unwrap_or(text);
        self.push(Party::Client, Kind::Command(ending), at, shown, place);
    }

    fn server(&mut self, at: Duration, text: &[u8], ending: Ending, place: Place) {
        let is_last = text.get(3) != Some(&b'-');
        self.replies += 1;
        let is_greeting = !is_last && text.starts_with(b"220");
        self.last = if is_greeting { Last::Greeting } else { Last::Reply { is_final: is_last } };
        match text.get(..3) {
            Some(b"334") => self.is_challenged = true,
            Some(b"354") => {
                self.in_content = true;
            }
            Some([b'2' | b'4' | b'5', ..]) if is_last => {
                // With pipelining earlier replies come first; the content is not before 354.
                self.authenticating = false;
                self.is_challenged = false;
                self.in_content = false;
            }
            _ => {}
        }
        self.push(Party::Server, Kind::Reply(ending), at, text, place);
    }

    /// Content is one line of the session, however many it has.
    fn content_line(&mut self, at: Duration, text: &[u8], place: Place) {
        let is_end = text == b".";
        self.in_content = !is_end;
        let more = text.len() as u64 + 2;
        if let Some(Line {
            by: Party::Client,
            kind: Kind::Content { octets, finished },
            text: kept,
            place: whole,
            ..
        }) = self.session.lines.last_mut()
            && !*finished
        {
            whole.last = place.last;
            *finished = is_end;
            if !is_end {
                *octets += more;
                let room = CONTENT_KEPT_MAX.saturating_sub(kept.len());
                if room > 2 {
                    kept.extend_from_slice(&text[..text.len().min(room - 2)]);
                    kept.extend_from_slice(b"\r\n");
                }
            }
            return;
        }
        let octets = if is_end { 0 } else { more };
        let kind = Kind::Content { octets, finished: is_end };
        let mut kept = Vec::new();
        if !is_end {
            kept.extend_from_slice(&text[..text.len().min(CONTENT_KEPT_MAX)]);
            kept.extend_from_slice(b"\r\n");
        }
        self.push(Party::Client, kind, at, &kept, place);
    }

    fn push(&mut self, by: Party, kind: Kind, at: Duration, text: &[u8], place: Place) {
        if self.session.lines.len() >= LINES_MAX {
            self.is_cut = true;
            return;
        }
        let text = text[..text.len().min(LINE_LENGTH_MAX)].to_vec();
        self.session.lines.push(Line { at, by, kind, text, place });
    }
}

/// A session's beginning: where it was read and from whose side.
pub(crate) fn begun(source: crate::session::Source, vantage: Vantage) -> Session {
    Session { source, vantage, ..Session::default() }
}

/// `AUTH PLAIN ****` for `AUTH PLAIN dGVz...`; `None` where there is nothing to strike out.
pub(crate) fn without_secret(text: &[u8]) -> Option<Vec<u8>> {
    if !is_verb(text, b"AUTH") {
        return None;
    }
    let blank = |from: usize| memchr::memchr2(b' ', b'\t', text.get(from..)?).map(|at| from + at);
    let mechanism = blank(0).map(|at| at + 1)?;
    let secret = blank(mechanism)?;
    let rest = text.get(secret + 1..)?.trim_ascii();
    if rest.is_empty() || rest == b"=" || rest == STRUCK_OUT {
        return None;
    }
    let mut struck = text[..=secret].to_vec();
    struck.extend_from_slice(STRUCK_OUT);
    Some(struck)
}

/// Whether a line begins with that verb, in whatever case.
pub(crate) fn is_verb(text: &[u8], verb: &[u8]) -> bool {
    let ends = matches!(text.get(verb.len()), None | Some(b' ' | b':' | b'\t' | b'='));
    ends && text.get(..verb.len()).is_some_and(|start| start.eq_ignore_ascii_case(verb))
}

/// Whether a line begins with a verb of SMTP, LMTP or an extension that is in use.
pub(crate) fn is_command(text: &[u8]) -> bool {
    const VERBS: [&[u8]; 32] = [
        b"EHLO",
        b"HELO",
        b"LHLO",
        b"MAIL",
        b"RCPT",
        b"DATA",
        b"BDAT",
        b"RSET",
        b"NOOP",
        b"QUIT",
        b"VRFY",
        b"EXPN",
        b"HELP",
        b"ETRN",
        b"TURN",
        b"ATRN",
        b"AUTH",
        b"STARTTLS",
        b"BURL",
        b"SEND",
        b"SOML",
        b"SAML",
        b"XCLIENT",
        b"XFORWARD",
        b"XEXCH50",
        b"X-LINK2STATE",
        b"X-EXPS",
        b"X-ANONYMOUSTLS",
        b"XPROXYTO",
        b"XPROXYFROM",
        b"XSHADOW",
        b"XSESSIONPARAMS",
    ];
    VERBS.iter().any(|verb| is_verb(text, verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays `C: ` and `S: ` lines and shows what the session holds.
    fn played(dialogue: &str) -> Vec<String> {
        let mut assembly = Assembly::default();
        for (number, line) in dialogue.lines().enumerate() {
            let by = if line.starts_with("C: ") { Party::Client } else { Party::Server };
            let place = Place::at(number as u64 + 1);
            assembly.said(by, Duration::ZERO, &line.as_bytes()[3..], Ending::Crlf, place);
        }
        let shown = |line: &Line| match line.kind {
            Kind::SaslResponse => format!("sasl {}", line.lossy()),
            Kind::Content { octets, finished } => format!("content {octets} {finished}"),
            _ => line.lossy().into_owned(),
        };
        assembly.finish().lines.iter().map(shown).collect()
    }

    #[test]
    fn secrets_never_enter() {
        assert_eq!(
            played(
                "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: dXNlcg==\nS: 334 UGFzc3dvcmQ6\nC: QUIT\nS: 235 ok\nC: QUIT"
            ),
            [
                "AUTH LOGIN",
                "334 VXNlcm5hbWU6",
                "sasl ****",
                "334 UGFzc3dvcmQ6",
                "sasl ****",
                "235 ok",
                "QUIT"
            ]
        );
        assert_eq!(played("C: auth plain AGEAYg==\nS: 535 no"), ["auth plain ****", "535 no"]);
        assert_eq!(
            played("C: AUTH LOGIN dXNlcg==\nC: cGFzcw==\nS: 235 ok"),
            ["AUTH LOGIN ****", "sasl ****", "235 ok"]
        );
        assert_eq!(
            played("C: AUTH PLAIN\nS: 334 \nC: *\nS: 501 x"),
            ["AUTH PLAIN", "334 ", "sasl *", "501 x"]
        );
    }

    #[test]
    fn content_is_one_line() {
        assert_eq!(
            played(
                "C: DATA\nS: 354 go\nC: Subject: x\nC: \nC: MAIL FROM:<a@b>\nC: .\nS: 250 ok\nC: QUIT"
            ),
            ["DATA", "354 go", "content 31 true", "250 ok", "QUIT"]
        );
        assert_eq!(
            played("C: DATA\nS: 354 go\nC: x\nS: 421 bye"),
            ["DATA", "354 go", "content 3 false", "421 bye"]
        );
    }

    #[test]
    fn an_endless_session_is_cut() {
        let mut assembly = Assembly::default();
        for _ in 0..100_000 {
            assembly.said(Party::Client, Duration::ZERO, b"NOOP", Ending::Crlf, Place::at(1));
        }
        let session = assembly.finish();
        assert_eq!(session.lines.len(), LINES_MAX + 1);
        assert_eq!(
            session.lines.last().map(|line| line.kind),
            Some(Kind::Event(Event::EvidenceEnds))
        );
    }
}
