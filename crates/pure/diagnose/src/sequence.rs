//! What may follow what in an SMTP session, and how each command may be answered: RFC 5321 sections 4.1.4
//! and 4.3.2, and the extensions.
//!
//! One table for whoever teaches it (`explain --sequence`) and whoever helps typing (the shell).
//! `421` may answer anything (section 3.8), `500` and `501` any command; they stand in no row.

use serde::Serialize;

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Connected; the server speaks first.
    Connected,
    /// The greeting came: EHLO is due.
    Greeted,
    /// EHLO was accepted; no transaction is open.
    Ready,
    /// MAIL was accepted: recipients are due.
    Mail,
    /// A recipient was accepted: more of them, or the content.
    Recipients,
    /// `354` came: content, up to the line with a single dot.
    Content,
    /// BDAT was accepted, and was not the last.
    Chunks,
    /// A SASL exchange: the client's response is due.
    Sasl,
    /// QUIT was answered.
    Closed,
}

/// A command, or what comes in a command's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// As it is typed: `MAIL`. `(connect)` and `(content)` are no commands.
    pub command: &'static str,
    /// With its arguments.
    pub form: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// The EHLO keyword without which it may not be used; empty where none is needed.
    pub needs: &'static str,
    /// Where it may come.
    pub allowed: &'static [State],
    /// Where it leads when it is accepted; `None`: everything stays as it was.
    pub leads: Option<State>,
    /// Go on.
    pub intermediate: &'static [u16],
    /// Done.
    pub success: &'static [u16],
    /// Refused, for now or for good.
    pub errors: &'static [u16],
    /// Where it stands.
    pub source: &'static str,
}

use State::{Chunks, Connected, Content, Greeted, Mail, Ready, Recipients, Sasl};

const OPEN: &[State] = &[Ready, Mail, Recipients];
const ANY: &[State] = &[Greeted, Ready, Mail, Recipients, Chunks];

/// All of them, in the order of a session.
pub const STEPS: [Step; 21] = [
    step(
        "(connect)",
        "TCP connection to port 25, 587 or 465",
        "the server greets",
        "",
        &[Connected],
        Some(Greeted),
        &[],
        &[220],
        &[554, 521],
        "RFC 5321 3.1",
    ),
    step(
        "EHLO",
        "EHLO client.example",
        "says who the client is; the reply lists the extensions",
        "",
        ANY,
        Some(Ready),
        &[],
        &[250],
        &[504, 550, 502],
        "RFC 5321 4.1.1.1",
    ),
    step(
        "HELO",
        "HELO client.example",
        "the same without extensions",
        "",
        ANY,
        Some(Ready),
        &[],
        &[250],
        &[504, 550, 502],
        "RFC 5321 4.1.1.1",
    ),
    step(
        "LHLO",
        "LHLO client.example",
        "in LMTP, in EHLO's place",
        "",
        &[Greeted],
        Some(Ready),
        &[],
        &[250],
        &[504, 550],
        "RFC 2033 4.1",
    ),
    step(
        "STARTTLS",
        "STARTTLS",
        "begins TLS; then EHLO once more",
        "STARTTLS",
        &[Ready],
        Some(Greeted),
        &[],
        &[220],
        &[454, 501, 503],
        "RFC 3207 4",
    ),
    step(
        "AUTH",
        "AUTH PLAIN|LOGIN|... [initial response]",
        "logs in; 334 asks for the next response",
        "AUTH",
        &[Ready],
        Some(Ready),
        &[334],
        &[235],
        &[432, 454, 503, 504, 530, 534, 535, 538],
        "RFC 4954 4",
    ),
    step(
        "(response)",
        "base64, or * to give up",
        "answers 334",
        "AUTH",
        &[Sasl],
        Some(Ready),
        &[334],
        &[235],
        &[432, 454, 501, 535],
        "RFC 4954 4",
    ),
    step(
        "MAIL",
        "MAIL FROM:<reverse-path> [SIZE=...] [BODY=...]",
        "opens a transaction",
        "",
        &[Ready],
        Some(Mail),
        &[],
        &[250],
        &[552, 451, 452, 550, 553, 503, 455, 555, 530],
        "RFC 5321 4.1.1.2",
    ),
    step(
        "RCPT",
        "RCPT TO:<forward-path>",
        "names a recipient; once for each",
        "",
        &[Mail, Recipients],
        Some(Recipients),
        &[],
        &[250, 251],
        &[550, 551, 552, 553, 450, 451, 452, 503, 455, 555],
        "RFC 5321 4.1.1.3",
    ),
    step(
        "DATA",
        "DATA",
        "asks to send the content",
        "",
        &[Recipients],
        Some(Content),
        &[354],
        &[],
        &[503, 554, 450, 550],
        "RFC 5321 4.1.1.4",
    ),
    step(
        "(content)",
        "the message, then a line with a single dot",
        "the reply decides: 250 moves the responsibility",
        "",
        &[Content],
        Some(Ready),
        &[],
        &[250],
        &[552, 554, 451, 452, 450, 550],
        "RFC 5321 4.1.1.4",
    ),
    step(
        "BDAT",
        "BDAT octets [LAST]",
        "sends a piece of the content, without dots",
        "CHUNKING",
        &[Recipients, Chunks],
        Some(Chunks),
        &[],
        &[250],
        &[503, 552, 554, 451, 452, 450, 550],
        "RFC 3030 2",
    ),
    step(
        "RSET",
        "RSET",
        "drops the transaction",
        "",
        ANY,
        Some(Ready),
        &[],
        &[250],
        &[],
        "RFC 5321 4.1.1.5",
    ),
    step(
        "NOOP",
        "NOOP",
        "asks whether the server is still there",
        "",
        ANY,
        None,
        &[],
        &[250],
        &[],
        "RFC 5321 4.1.1.9",
    ),
    step(
        "VRFY",
        "VRFY name",
        "asks for a mailbox; 252 says neither yes nor no",
        "",
        ANY,
        None,
        &[],
        &[250, 251, 252],
        &[550, 551, 553, 502, 504],
        "RFC 5321 4.1.1.6",
    ),
    step(
        "EXPN",
        "EXPN list",
        "asks who is on a list",
        "EXPN",
        ANY,
        None,
        &[],
        &[250, 252],
        &[550, 502, 504],
        "RFC 5321 4.1.1.7",
    ),
    step(
        "HELP",
        "HELP [command]",
        "asks for help",
        "HELP",
        ANY,
        None,
        &[],
        &[211, 214],
        &[502, 504],
        "RFC 5321 4.1.1.8",
    ),
    step(
        "ETRN",
        "ETRN domain",
        "asks to send what waits for that domain",
        "ETRN",
        &[Ready],
        None,
        &[],
        &[250, 251, 252, 253],
        &[458, 459],
        "RFC 1985 5",
    ),
    step(
        "BURL",
        "BURL url [LAST]",
        "has the server fetch a piece of the content",
        "BURL",
        &[Recipients, Chunks],
        Some(Chunks),
        &[],
        &[250],
        &[503, 554, 451, 452],
        "RFC 4468 3",
    ),
    step(
        "XEXCH50",
        "XEXCH50 octets 2",
        "Exchange 2000-2003 among themselves; strangers get 504, and go on without",
        "XEXCH50",
        &[Recipients],
        None,
        &[354],
        &[250],
        &[504, 550],
        "[MS-XEXCH50]",
    ),
    step(
        "QUIT",
        "QUIT",
        "ends the session in order",
        "",
        &[Greeted, Ready, Mail, Recipients, Chunks],
        Some(State::Closed),
        &[],
        &[221],
        &[],
        "RFC 5321 4.1.1.10",
    ),
];

#[allow(clippy::too_many_arguments)] // a row of a table
const fn step(
    command: &'static str,
    form: &'static str,
    about: &'static str,
    needs: &'static str,
    allowed: &'static [State],
    leads: Option<State>,
    intermediate: &'static [u16],
    success: &'static [u16],
    errors: &'static [u16],
    source: &'static str,
) -> Step {
    Step { command, form, about, needs, allowed, leads, intermediate, success, errors, source }
}

/// The row of a command, in whatever case.
pub fn of(command: &str) -> Option<&'static Step> {
    let bare = |name: &str| name.trim_matches(['(', ')']).to_ascii_uppercase();
    let wanted = bare(command.trim());
    STEPS.iter().find(|step| bare(step.command) == wanted)
}

/// What may come next.
pub fn next(state: State) -> impl Iterator<Item = &'static Step> {
    STEPS.iter().filter(move |step| step.allowed.contains(&state))
}

/// What may follow a command that was accepted: the commands that a session is about, without those that may
/// come nearly anywhere.
pub fn followers(step: &Step) -> Vec<&'static str> {
    let state = step.leads.unwrap_or(Ready);
    let is_special =
        |step: &&Step| step.allowed != ANY || step.command == "EHLO" && state == Greeted;
    next(state).filter(is_special).map(|step| step.command).collect()
}

/// Whether a transaction is open, so that RSET and MAIL matter.
pub fn is_in_transaction(state: State) -> bool {
    OPEN.contains(&state) && state != Ready
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_a_session() {
        let mut state = Connected;
        for (command, leads) in [
            ("connect", Greeted),
            ("ehlo", Ready),
            ("MAIL", Mail),
            ("RCPT", Recipients),
            ("RCPT", Recipients),
            ("DATA", Content),
            ("content", Ready),
            ("QUIT", State::Closed),
        ] {
            let step = of(command).unwrap();
            assert!(step.allowed.contains(&state), "{command} in {state:?}");
            state = step.leads.unwrap_or(state);
            assert_eq!(state, leads, "{command}");
        }
        assert_eq!(next(State::Closed).count(), 0);
        // RCPT before MAIL, DATA before RCPT: what beginners do
        assert!(!of("RCPT").unwrap().allowed.contains(&Ready));
        assert!(!of("DATA").unwrap().allowed.contains(&Mail));
    }

    #[test]
    fn rows() {
        for step in STEPS {
            assert_eq!(of(step.command), Some(&step));
            assert!(step.errors.iter().all(|code| (400..600).contains(code)), "{}", step.command);
            assert!(step.success.iter().all(|code| (200..300).contains(code)), "{}", step.command);
            assert!(step.intermediate.iter().all(|code| (300..400).contains(code)));
        }
        assert_eq!(followers(of("MAIL").unwrap()), ["RCPT"]);
        assert!(is_in_transaction(Mail) && !is_in_transaction(Ready));
    }
}
