//! The readable text, cut into what it says of each recipient.

use super::text;

/// Of the words about one recipient so many octets are kept.
pub(super) const WORDS_MAX: usize = 4_000;
/// So many lines may belong to one recipient.
const LINES_MAX: usize = 24;

/// What stands below one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// As written.
    pub recipient: String,
    /// Blanks and line ends as single blanks.
    pub words: String,
    /// The same with its lines, for dialogues.
    pub lines: String,
    /// Line numbers in the readable text, from 1.
    pub first: u64,
    /// The last line.
    pub last: u64,
}

/// Labels that stand in front of a recipient.
const LABELS: [&str; 22] = [
    "recipient address:",
    "failed recipient:",
    "recipient:",
    "final recipient:",
    "addressed to:",
    "original address:",
    "could not be delivered to:",
    "unable to deliver message to",
    "unable to deliver mail to",
    "could not deliver to",
    "intended recipient:",
    "unknown user:",
    "your message to",
    "rcpt to:",
    "target mail address:",
    "invalid final delivery userid:",
    "user's mailbox is full:",
    "the following recipients returned permanent errors:",
    "the following message to",
    "delivery to",
    "rcpt:",
    "address:",
];

/// All blocks, in order; a recipient who is named more than once has one, which holds all its words.
pub(super) fn read(text: &str, recipients_max: usize) -> Vec<Block> {
    let lines: Vec<&str> = text.lines().take(5_000).collect();
    let mut blocks: Vec<Block> = Vec::new();
    let mut at = 0;
    while at < lines.len() && blocks.len() < recipients_max {
        let Some((recipient, rest)) = opening(lines[at]) else {
            at += 1;
            continue;
        };
        let (end, body) = body(&lines, at, rest);
        let block = Block {
            recipient,
            words: text::joined(&body, WORDS_MAX),
            lines: body,
            first: at as u64 + 1,
            last: end as u64,
        };
        merge(&mut blocks, block);
        at = end.max(at + 1);
    }
    blocks
}

/// The paragraph that a report introduces as the reason: `undeliverable due to the following reason:`.
pub(super) fn reason(text: &str) -> Option<String> {
    let introduces = |line: &&str| {
        let line = line.trim_end().to_ascii_lowercase();
        line.ends_with(':') && line.contains("following reason")
    };
    let mut lines = text.lines().skip_while(|line| !introduces(line)).skip(1);
    let is_blank = |line: &&str| line.trim().is_empty();
    let first = lines.by_ref().find(|line| !is_blank(line))?;
    let rest = lines.take_while(|line| !is_blank(line)).take(LINES_MAX);
    let lines: Vec<&str> = std::iter::once(first).chain(rest).collect();
    Some(text::joined(&lines.join("\n"), WORDS_MAX))
}

/// Whether a line opens a block: a recipient, and what of the line follows.
fn opening(line: &str) -> Option<(String, &str)> {
    let trimmed = line.trim_start_matches([' ', '\t', '*', '>', '|', '-', '\u{2022}']);
    // ASCII letters only change their case, so places are the same.
    let lower = trimmed.to_ascii_lowercase();
    let is_dialogue = line.trim_start().starts_with(">>>");
    if is_dialogue || lower.starts_with("from:") || lower.starts_with("mailto:") {
        return None;
    }
    let label = LABELS.iter().find(|label| lower.starts_with(*label));
    let rest = label.map_or(trimmed, |label| trimmed[label.len()..].trim_start());
    let rest = rest.strip_prefix("rfc822;").unwrap_or(rest).trim_start();
    let address = text::first_address(rest)?;
    let at = rest.find(&address)?;
    // The address is the first thing on the line, apart from brackets.
    let is_first =
        rest[..at].chars().all(|c| matches!(c, '<' | '"' | '\'' | '[' | '(' | ' ' | '\u{201c}'));
    let behind = &rest[at + address.len()..];
    is_first.then_some((address, behind))
}

/// The lines below an opening, and the number of the line behind them.
fn body(lines: &[&str], at: usize, rest: &str) -> (usize, String) {
    let rest =
        rest.trim_start_matches(['>', ')', ']', '"', '\'', ':', ',', ';', ' ', '\t', '\u{201d}']);
    // `a@b.test<mailto:a@b.test>` and `a@b.test (a@b.test)` say the same twice.
    let again =
        rest.contains('@') && rest.split_whitespace().count() <= 2 && text::code(rest).is_none();
    let mut body = if again { String::new() } else { rest.trim().to_owned() };
    let mut end = at + 1;
    while end < lines.len() && end - at <= LINES_MAX {
        let line = lines[end];
        if line.trim().is_empty() {
            let next = lines[end + 1..].iter().find(|line| !line.trim().is_empty());
            let goes_on = body.trim().is_empty()
                || next.is_some_and(|next| {
                    let next = next.trim_start();
                    next.starts_with("<<<")
                        || next.starts_with(">>>")
                        || next.starts_with("Technical details")
                        || next.starts_with("The response")
                        || next.starts_with("The error")
                });
            if !goes_on {
                break;
            }
            end += 1;
            continue;
        }
        // A reply goes on below, indented; it may name an address where its line was broken.
        let goes_on = indent(line) > indent(lines[at]) && !body.trim().is_empty();
        if !goes_on && opening(line).is_some() {
            break;
        }
        body.push('\n');
        body.push_str(line);
        end += 1;
    }
    (end, body)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn merge(blocks: &mut Vec<Block>, block: Block) {
    let same =
        blocks.iter_mut().find(|known| known.recipient.eq_ignore_ascii_case(&block.recipient));
    let Some(known) = same else {
        blocks.push(block);
        return;
    };
    if block.words.is_empty() {
        return;
    }
    // What has a reply decides, and comes first.
    let has_code = |words: &str| text::code(words).is_some();
    let goes_first = has_code(&block.words) && !has_code(&known.words);
    let (first, second) = if goes_first { (&block, &*known) } else { (&*known, &block) };
    let lines = format!("{}\n{}", first.lines, second.lines);
    known.words = text::joined(&lines, WORDS_MAX);
    known.lines = lines;
    known.last = block.last;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_blocks() {
        for (text, recipient, words) in [
            ("<bob@b.test>:\nno such user\n\nbye", "bob@b.test", "no such user"),
            (
                "<bob@b.test>: host mx said: 550 no\n    (in reply to RCPT)\n",
                "bob@b.test",
                "host mx said: 550 no (in reply to RCPT)",
            ),
            (
                "<bob@b.test>: host mx said: 450\n    <bob@b.test>: greylisted (in reply to RCPT)\n",
                "bob@b.test",
                "host mx said: 450 <bob@b.test>: greylisted (in reply to RCPT)",
            ),
            (
                "<bob@b.test>: host mx said: 550 blocked senders:\n    al@a.test (in reply to DATA)\n",
                "bob@b.test",
                "host mx said: 550 blocked senders: al@a.test (in reply to DATA)",
            ),
            ("  bob@b.test\n    mailbox is full\n", "bob@b.test", "mailbox is full"),
            ("bob@b.test<mailto:bob@b.test>\n\n#550 5.1.1 x ##", "bob@b.test", "#550 5.1.1 x ##"),
            ("Recipient address: bob@b.test\n  Reason: none", "bob@b.test", "Reason: none"),
        ] {
            let blocks = read(text, 10);
            assert_eq!(blocks.len(), 1, "{text}: {blocks:?}");
            assert_eq!(
                (blocks[0].recipient.as_str(), blocks[0].words.as_str()),
                (recipient, words),
                "{text}"
            );
        }
        assert!(read("Dear bob@b.test, how are you", 10).is_empty());
    }
}
