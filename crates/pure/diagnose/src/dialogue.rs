//! Reading a transcript: which answer belongs to which command, pipelined or not.

use smtp::{Party, Stage, Transcript, transcript::Line};

/// A transcript with every reply paired to its command.
#[derive(Clone, Debug, Default)]
pub struct Dialogue<'a> {
    /// All lines, as the transcript has them.
    pub lines: Vec<Line<'a>>,
    /// Replies in the order in which they came.
    pub exchanges: Vec<Exchange>,
    /// Commands that got no reply, as indices into `lines`.
    pub unanswered: Vec<usize>,
}

/// One reply, and what it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The command's line; `None` for the greeting.
    pub command: Option<usize>,
    /// The last line of the reply.
    pub reply: usize,
    /// Its code.
    pub code: u16,
    /// The step that the command belongs to.
    pub stage: Stage,
}

impl<'a> Dialogue<'a> {
    /// Reads a transcript. Replies answer commands in order (RFC 2920 section 3.1); a client line that
    /// is no command (content, a SASL response) waits for a reply only where one is due.
    pub fn read(transcript: &'a Transcript) -> Self {
        let lines: Vec<Line<'a>> = transcript.lines().collect();
        let mut dialogue = Self { lines, ..Self::default() };
        // The greeting is the reply to having connected.
        let mut waiting: std::collections::VecDeque<(Option<usize>, Stage)> =
            [(None, Stage::Greeting)].into();
        for (index, line) in dialogue.lines.iter().enumerate() {
            match line.by {
                Party::Client => {
                    if let Some(stage) = command_stage(line.text) {
                        waiting.push_back((Some(index), stage));
                    } else if let Some(stage) = continued(&dialogue.exchanges, waiting.is_empty()) {
                        waiting.push_back((Some(index), stage));
                    }
                }
                Party::Server => {
                    let Some(code) = final_code(line.text) else { continue };
                    let (command, stage) = waiting.pop_front().unwrap_or((None, Stage::Other));
                    dialogue.exchanges.push(Exchange { command, reply: index, code, stage });
                }
                Party::Note => {}
            }
        }
        dialogue.unanswered = waiting.into_iter().filter_map(|(command, _)| command).collect();
        dialogue
    }

    /// A line's text, without octets that are not UTF-8.
    pub fn text(&self, index: usize) -> std::borrow::Cow<'a, str> {
        self.lines.get(index).map_or("".into(), |line| String::from_utf8_lossy(line.text))
    }

    /// The exchanges of one stage, in order.
    pub fn at(&self, stage: Stage) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter().filter(move |exchange| exchange.stage == stage)
    }

    /// Whether the client's line begins with that verb.
    pub fn has_verb(&self, index: usize, verb: &str) -> bool {
        self.lines
            .get(index)
            .is_some_and(|line| line.by == Party::Client && begins(line.text, verb))
    }

    /// The first command of that stage.
    pub fn command(&self, stage: Stage) -> Option<usize> {
        let is_it =
            |line: &Line<'_>| line.by == Party::Client && command_stage(line.text) == Some(stage);
        self.lines.iter().position(is_it)
    }
}

/// What a client line that is no command belongs to, if the last reply asked for it.
fn continued(exchanges: &[Exchange], nothing_waits: bool) -> Option<Stage> {
    let last = exchanges.last().filter(|_| nothing_waits)?;
    match (last.stage, last.code) {
        (Stage::Auth, 334) => Some(Stage::Auth),
        (Stage::Data, 354) => Some(Stage::EndOfData),
        _ => None,
    }
}

/// The step that a command line belongs to; `None` if it is no command.
fn command_stage(text: &[u8]) -> Option<Stage> {
    const VERBS: [(&str, Stage); 14] = [
        ("EHLO", Stage::Ehlo),
        ("HELO", Stage::Ehlo),
        ("LHLO", Stage::Ehlo),
        ("STARTTLS", Stage::StartTls),
        ("AUTH", Stage::Auth),
        ("MAIL", Stage::Mail),
        ("RCPT", Stage::Rcpt),
        ("DATA", Stage::Data),
        ("BDAT", Stage::EndOfData),
        ("XEXCH50", Stage::Other),
        ("RSET", Stage::Other),
        ("NOOP", Stage::Other),
        ("VRFY", Stage::Other),
        ("QUIT", Stage::Other),
    ];
    VERBS.into_iter().find(|(verb, _)| begins(text, verb)).map(|(_, stage)| stage)
}

fn begins(text: &[u8], verb: &str) -> bool {
    let ends = matches!(text.get(verb.len()), None | Some(b' ' | b':' | b'\r'));
    ends && text.get(..verb.len()).is_some_and(|start| start.eq_ignore_ascii_case(verb.as_bytes()))
}

/// The code of a reply's last line; `None` for `250-...` and for what is no reply.
fn final_code(text: &[u8]) -> Option<u16> {
    if matches!(text.get(3), Some(b'-')) {
        return None;
    }
    let digits = text.get(..3)?;
    let code: u16 = str::from_utf8(digits).ok()?.parse().ok()?;
    (200..600).contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::transcript;

    #[test]
    fn pipelined_replies_find_their_commands() {
        let transcript = transcript(
            "S: 220 hi\nC: EHLO a\nS: 250-b\nS: 250 PIPELINING\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n\
             C: RCPT TO:<c@b>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 250 ok\nS: 354 go\nC: .\nS: 250 done",
        );
        let dialogue = Dialogue::read(&transcript);
        let pairs: Vec<_> =
            dialogue.exchanges.iter().map(|e| (e.command, e.reply, e.code, e.stage)).collect();
        assert_eq!(
            pairs,
            [
                (None, 0, 220, Stage::Greeting),
                (Some(1), 3, 250, Stage::Ehlo),
                (Some(4), 8, 250, Stage::Mail),
                (Some(5), 9, 550, Stage::Rcpt),
                (Some(6), 10, 250, Stage::Rcpt),
                (Some(7), 11, 354, Stage::Data),
                (Some(12), 13, 250, Stage::EndOfData),
            ]
        );
        assert!(dialogue.unanswered.is_empty());
    }

    #[test]
    fn login_and_silence() {
        let transcript = transcript(
            "S: 220 hi\nC: EHLO a\nS: 250 b\nC: AUTH LOGIN\nS: 334 x\nC: ****\nS: 535 no\nC: \
             MAIL FROM:<>",
        );
        let dialogue = Dialogue::read(&transcript);
        assert_eq!(dialogue.at(Stage::Auth).map(|e| e.code).collect::<Vec<_>>(), [334, 535]);
        assert_eq!(dialogue.unanswered, [7]);
    }
}
