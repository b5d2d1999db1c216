//! The reply within the words of a report.

use smtp::{EnhancedStatus, Reply};

use super::super::text;

/// Of a reply's text so many octets are kept.
const TEXT_MAX: usize = 2_000;

/// Behind these words a reply is quoted; the first one found decides.
const OPENINGS: [&str; 24] = [
    "remote host said: ",
    "it responded as follows: ",
    "responded as follows: ",
    "with the following response: ",
    "with the following error: ",
    "the error that the other server returned was: ",
    "the response from the remote server was: ",
    "the response was: ",
    "remote server returned '",
    "remote server returned message denied by administrative policy -> ",
    "remote server returned ",
    "refused to talk to me: ",
    " said: ",
    "did not like our rcpt to:",
    "did not like our mail from:",
    "did not like our final data:",
    "did not like our data:",
    "did not like our ",
    "responded with ",
    "smtp error from remote mail server ",
    "smtp error from remote mailer ",
    "(reason: ",
    "<<< ",
    "error_code :",
];

/// Where a reply is over and the writer goes on.
const CLOSINGS: [&str; 20] = [
    " (in reply to ",
    " giving up on ",
    " (state ",
    " ##",
    "' ",
    " [rcpt_to]",
    " [mail_from]",
    " [data]",
    " [connect]",
    " i'm not going to try again",
    " --- below this line",
    " ------ this is a copy",
    " final-recipient:",
    " (delivery attempts:",
    " last-attempt-date:",
    " will-retry-until:",
    " original message headers",
    " message headers follow",
    " --- message non-deliverable",
    " ----- transcript",
];

/// The reply in `words` (blanks joined). A positive one counts only where the fate is a good one.
pub(in super::super) fn find(words: &str, may_be_positive: bool) -> Option<Reply> {
    // Of the same length: ASCII letters only change their case.
    let lower = words.to_ascii_lowercase();
    let code_in = |from: usize| {
        let found = if may_be_positive {
            text::any_code(&words[from..])
        } else {
            text::code(&words[from..])
        };
        found.map(|(at, code)| (from + at, code))
    };
    let quoted = OPENINGS.iter().find_map(|opening| {
        let from = lower.find(opening)? + opening.len();
        let (at, code) = code_in(from)?;
        // Behind `SMTP error from remote mail server after RCPT TO:<...>: host ...:` it takes a while.
        (at - from <= 400).then_some((at, code))
    });
    // What begins with a code is the reply; what it quotes in turn is another server's.
    let plain = code_in(0);
    let (at, code) = plain.filter(|(at, _)| *at == 0).or(quoted).or(plain)?;
    // A quote ends a reply only where a quote began it.
    let is_quoted = at > 0 && lower.as_bytes()[at - 1] == b'\'';
    let may_close = |closing: &&&str| is_quoted || !closing.starts_with('\'');
    let ends = CLOSINGS.iter().filter(may_close);
    let end = ends.filter_map(|closing| lower[at..].find(closing)).min();
    let rest = &words[at..at + end.unwrap_or(words.len() - at)];
    Some(read(code, rest))
}

/// `550-5.1.1 one 550 5.1.1 two`: code, status and text of a reply whose lines were joined.
fn read(code: u16, rest: &str) -> Reply {
    let digits = code.to_string();
    let mut rest = rest[3..].trim_start_matches(['-', ' ', ':', ',', ';', '\t', '\'']);
    // Gmail and others say the code twice: `550 550 5.1.1`.
    while let Some(again) = rest.strip_prefix(&digits).filter(|again| again.starts_with([' ', '-']))
    {
        rest = again.trim_start_matches(['-', ' ']);
    }
    let status = own_status(code, rest);
    let mut kept = String::new();
    let mut skip_status = false;
    let words: Vec<&str> = rest.split_whitespace().collect();
    for (index, word) in words.iter().copied().enumerate() {
        let bare = word.trim_matches(['#', '(', ')', ':']);
        let is_own =
            |word: &str| word.parse::<EnhancedStatus>().ok().is_some_and(|own| Some(own) == status);
        // `550-5.1.1` in the midst opens the next line of the same reply.
        if let Some(line) = word.strip_prefix(&digits).and_then(|line| line.strip_prefix('-'))
            && (line.is_empty() || is_own(line))
        {
            skip_status = line.is_empty();
            continue;
        }
        let opens_line = words.get(index + 1).is_some_and(|next| is_own(next));
        if word == digits && index > 0 && (opens_line || rest.contains(&format!("{digits}-"))) {
            skip_status = true;
            continue;
        }
        if (index == 0 || skip_status) && is_own(bare) {
            skip_status = false;
            continue;
        }
        skip_status = false;
        if kept.len() + word.len() > TEXT_MAX {
            break;
        }
        if !kept.is_empty() {
            kept.push(' ');
        }
        kept.push_str(word);
    }
    let kept = kept.trim().trim_end_matches(['\'', ']']).trim_start_matches("- ");
    // The parenthesis that Sendmail's `(reason: 550 no)` opened.
    let kept = if kept.contains('(') { kept } else { kept.trim_end_matches(')') }.to_owned();
    Reply { code, status, text: kept.into() }
}

/// A status of the reply's own class: at its front, or in parentheses as qmail has it.
fn own_status(code: u16, rest: &str) -> Option<EnhancedStatus> {
    let fits = |status: &EnhancedStatus| u16::from(status.class) == code / 100;
    let front = rest.trim_start_matches(['#', '(', ' ']);
    let word = front.split([' ', ')', ':', ',', ';', '<', '-', '\'']).next().unwrap_or("");
    let at_front = word.trim_end_matches('.').parse::<EnhancedStatus>().ok();
    let marked = || {
        rest.match_indices("#").find_map(|(at, _)| {
            let word = rest[at + 1..].split([' ', ')', ']', ':', ',']).next()?;
            word.parse::<EnhancedStatus>().ok()
        })
    };
    at_front
        .filter(fits)
        .or_else(|| marked().filter(fits))
        .or_else(|| text::status(rest).filter(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_in_words() {
        for (words, expected) in [
            (
                "host mx.b.test[192.0.2.1] said: 550 5.1.1 <bob@b.test>: unknown (in reply to RCPT TO command)",
                "550 5.1.1 <bob@b.test>: unknown",
            ),
            (
                "550-5.1.1 The account 550-5.1.1 is gone. 550 5.1.1 See https://b.test/",
                "550 5.1.1 The account is gone. See https://b.test/",
            ),
            (
                "The error that the other server returned was: 550 550 5.1.1 unknown (state 14).",
                "550 5.1.1 unknown",
            ),
            (
                "192.0.2.3 does not like recipient. Remote host said: 550 sorry, no (#5.1.1) Giving up on 192.0.2.3.",
                "550 5.1.1 sorry, no (#5.1.1)",
            ),
            (
                "relay.provider.test #503 5.5.1 Error: Bad sequence ##",
                "503 5.5.1 Error: Bad sequence",
            ),
            (
                "SMTP error from remote mail server after RCPT TO:<b@b.test>: host mx.b.test [192.0.2.1]: 421 later",
                "421 later",
            ),
            ("Remote Server returned '550 5.7.1 no'", "550 5.7.1 no"),
        ] {
            assert_eq!(
                find(words, false).map(|reply| reply.to_string()).as_deref(),
                Some(expected),
                "{words}"
            );
        }
        assert_eq!(find("no codes here, tried for 450 hours", false), None);
    }
}
