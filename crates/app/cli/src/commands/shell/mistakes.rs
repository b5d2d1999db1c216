//! What is wrong with a line before it is sent. No input or output.
//!
//! A mistake is what RFC 5321 forbids or what the server did not offer: never what might merely be unwise,
//! as whoever types raw SMTP wants to try things.

use diagnose::sequence::{self, State};

use super::{
    complete::parameters,
    progress::{self, Progress},
};

/// Longest command line without CRLF (RFC 5321 section 4.5.3.1.4), where no extension allows more.
const LENGTH_MAX: usize = 510;

/// What is wrong with a line, in a sentence that says what would be right; `None` if nothing is.
pub fn find(line: &[u8], progress: &Progress) -> Option<String> {
    let state = progress.expected();
    match state {
        State::Content => return None,
        State::Sasl => return response(line),
        _ => {}
    }
    let text = String::from_utf8_lossy(line);
    let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
    octets(line, verb, progress)
        .or_else(|| known(&text, verb, progress))
        .or_else(|| order(verb, progress, state))
        .or_else(|| offered(verb, rest, progress))
        .or_else(|| arguments(verb, rest, progress))
}

/// A line of a SASL exchange.
fn response(line: &[u8]) -> Option<String> {
    let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
    let fits = line == b"*" || (line.iter().all(is_base64) && line.len().is_multiple_of(4));
    (!fits).then(|| "the server waits for base64 (or * to give up the login)".to_owned())
}

fn octets(line: &[u8], verb: &str, progress: &Progress) -> Option<String> {
    let may_be_long = ["MAIL", "RCPT", "AUTH"].iter().any(|long| verb.eq_ignore_ascii_case(long));
    if line.iter().any(|octet| octet.is_ascii_control()) {
        return Some("there is a control character in the line".to_owned());
    }
    if !line.is_ascii() && !progress.offers("SMTPUTF8") {
        return Some("it is not all ASCII, and the server did not offer SMTPUTF8".to_owned());
    }
    (line.len() > LENGTH_MAX && !may_be_long)
        .then(|| format!("{} octets: a command line has at most {LENGTH_MAX} and CRLF", line.len()))
}

/// Whether there is such a command.
fn known(text: &str, verb: &str, progress: &Progress) -> Option<String> {
    if text.starts_with([' ', '\t']) {
        return Some("a blank stands before the command".to_owned());
    }
    let upper = verb.to_ascii_uppercase();
    for (glued, right) in [
        ("MAILFROM", "MAIL FROM:<...>"),
        ("RCPTTO", "RCPT TO:<...>"),
        ("MAIL:", "MAIL FROM:<...>"),
        ("RCPT:", "RCPT TO:<...>"),
    ] {
        if upper.starts_with(glued) {
            return Some(format!("write `{right}`"));
        }
    }
    const OTHERS: [&str; 8] =
        ["SEND", "SOML", "SAML", "TURN", "ATRN", "XCLIENT", "XFORWARD", "X-EXPS"];
    let is_known = sequence::of(verb).is_some_and(|step| step.command.eq_ignore_ascii_case(verb))
        || OTHERS.contains(&upper.as_str())
        || progress.offers(verb);
    (!is_known).then(|| format!("`{}` is no command that is known here", verb.trim_end()))
}

/// Whether it may come now.
fn order(verb: &str, progress: &Progress, state: State) -> Option<String> {
    let step = sequence::of(verb)?;
    if step.allowed.contains(&state) {
        return match step.command {
            "STARTTLS" if progress.tls => Some("TLS stands already".to_owned()),
            "AUTH" if progress.logged_in => Some(
                "a login was accepted; one is allowed in a session (RFC 4954 section 4)".to_owned(),
            ),
            _ => None,
        };
    }
    let now = progress::name(state);
    Some(match (step.command, state) {
        (command, State::Greeted) => format!("{command} comes after EHLO, and there was none"),
        ("MAIL", State::Mail | State::Recipients | State::Chunks) => {
            "a transaction is open: RSET ends it".to_owned()
        }
        ("RCPT", State::Ready) => "RCPT comes after MAIL, and none was accepted".to_owned(),
        ("DATA" | "BDAT", State::Ready) => {
            format!("{} comes after MAIL and RCPT, and no MAIL was accepted", step.command)
        }
        ("DATA" | "BDAT", State::Mail) => {
            format!("{} comes after RCPT, and none was accepted", step.command)
        }
        ("DATA", State::Chunks) => {
            "BDAT was begun: DATA may not follow (RFC 3030 section 3)".to_owned()
        }
        (command, _) => format!("{command} may not come here (state: {now})"),
    })
}

/// Whether the server offered it.
fn offered(verb: &str, rest: &str, progress: &Progress) -> Option<String> {
    let step = sequence::of(verb)?;
    let counts = ["STARTTLS", "AUTH", "BDAT", "BURL", "ETRN", "XEXCH50"].contains(&step.command);
    if !counts {
        return None;
    }
    let Some(listed) = progress.offered(step.needs) else {
        return Some(format!("the server did not offer {}", step.needs));
    };
    let mechanism = rest.split_ascii_whitespace().next().unwrap_or_default();
    let lists =
        |word: &str| listed.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case(word));
    match step.command {
        "AUTH" if mechanism.is_empty() => {
            Some(format!("a mechanism is missing; offered: {listed}"))
        }
        "AUTH" if !lists(mechanism) => Some(format!("{mechanism} was not offered, but {listed}")),
        _ => None,
    }
}

fn arguments(verb: &str, rest: &str, progress: &Progress) -> Option<String> {
    let verb = verb.to_ascii_uppercase();
    let is_empty = rest.trim().is_empty();
    match verb.as_str() {
        "MAIL" => path(rest, "FROM", "MAIL").or_else(|| unknown_parameters(rest, &verb, progress)),
        "RCPT" => path(rest, "TO", "RCPT").or_else(|| unknown_parameters(rest, &verb, progress)),
        "EHLO" | "HELO" | "LHLO" if is_empty => {
            Some(format!("{verb} needs your name: `{verb} client.example`"))
        }
        "DATA" | "RSET" | "QUIT" | "STARTTLS" if !is_empty => {
            Some(format!("{verb} takes no argument"))
        }
        "BDAT" => bdat(rest),
        _ => None,
    }
}

fn bdat(rest: &str) -> Option<String> {
    let mut words = rest.split_ascii_whitespace();
    let size = words.next().and_then(|size| size.parse::<u64>().ok());
    let is_last = words.next().is_none_or(|word| word.eq_ignore_ascii_case("LAST"));
    match size {
        Some(_) if !is_last || words.next().is_some() => {
            Some("behind the size comes nothing but LAST".to_owned())
        }
        Some(0) => None,
        Some(size) => Some(format!(
            "the server will take the next {size} octets for content: `:bdat FILE` sends both, `:raw` octets"
        )),
        None => Some("BDAT needs a number of octets: `BDAT 86 LAST`".to_owned()),
    }
}

/// `FROM:<path>` or `TO:<path>`.
fn path(rest: &str, word: &str, verb: &str) -> Option<String> {
    let trimmed = rest.trim();
    let begins = trimmed.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let bare = |text: &str| {
        text.trim_matches(['<', '>', ':', ' ']).split(' ').next().unwrap_or_default().to_owned()
    };
    if !begins {
        let path = bare(trimmed);
        let shown = if path.is_empty() { "..." } else { &path };
        return Some(format!("`{word}:` is missing: `{verb} {word}:<{shown}>`"));
    }
    let behind = &trimmed[word.len()..];
    let Some(path) = behind.strip_prefix(':') else {
        return Some(format!("a colon is missing: `{verb} {word}:<{}>`", bare(behind)));
    };
    if rest.starts_with(' ') {
        return Some(format!("one blank too many before `{word}:`"));
    }
    if path.starts_with(' ') {
        return Some(format!("no blank may follow the colon: `{verb} {word}:<{}>`", bare(path)));
    }
    let Some(inside) = path.strip_prefix('<') else {
        return Some(format!("angle brackets are missing: `{verb} {word}:<{}>`", bare(path)));
    };
    let Some((address, behind)) = inside.split_once('>') else {
        return Some("the closing `>` is missing".to_owned());
    };
    if !behind.is_empty() && !behind.starts_with(' ') {
        return Some("behind `>` comes a blank, then parameters".to_owned());
    }
    match (word, address) {
        ("FROM", "") => None,
        (_, "") => Some("the null path `<>` is no recipient".to_owned()),
        ("TO", name) if name.eq_ignore_ascii_case("postmaster") => None,
        (_, address) if !address.contains('@') => {
            Some(format!("`{address}` has no domain: `{verb} {word}:<{address}@example.com>`"))
        }
        (_, address) if address.contains(',') && !address.contains(['"', ':']) => {
            Some("one address only; a second recipient is a second RCPT".to_owned())
        }
        _ => None,
    }
}

fn unknown_parameters(rest: &str, verb: &str, progress: &Progress) -> Option<String> {
    let (_, behind) = rest.split_once('>')?;
    for parameter in behind.split_ascii_whitespace() {
        let keyword = parameter.split_once('=').map_or(parameter, |(keyword, _)| keyword);
        let is_it = |row: &&parameters::Row| row.keyword.eq_ignore_ascii_case(keyword);
        let Some(row) = parameters::ALL.iter().filter(is_it).find(|row| row.verb == verb) else {
            if let Some(other) = parameters::ALL.iter().find(is_it) {
                return Some(format!("{keyword} belongs to {}", other.verb));
            }
            continue;
        };
        if !progress.offers(row.needs) {
            return Some(format!("{keyword} needs {}, which the server did not offer", row.needs));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::shell::progress::Sent;

    fn after(lines: &[&str]) -> Progress {
        let mut progress = Progress::new(false);
        progress.heard(220, &[]);
        for line in lines {
            progress.sent(Sent::command(line.as_bytes()));
            let texts = ["a.test", "SIZE 100", "AUTH PLAIN LOGIN", "DSN", "CHUNKING"];
            let code = if *line == "DATA" { 354 } else { 250 };
            progress.heard(code, &texts.map(str::to_owned));
        }
        progress
    }

    #[test]
    fn mistakes() {
        let mail = &["EHLO a", "MAIL FROM:<>"][..];
        let rcpt = &["EHLO a", "MAIL FROM:<>", "RCPT TO:<b@b.test>"][..];
        for (lines, line, words) in [
            (&[][..], "MAIL FROM:<a@a.test>", "comes after EHLO"),
            (&["EHLO a"], "RCPT TO:<b@b.test>", "RCPT comes after MAIL"),
            (mail, "DATA", "DATA comes after RCPT"),
            (mail, "MAIL FROM:<>", "RSET ends it"),
            (&["EHLO a"], "DATA", "no MAIL was accepted"),
            (&["EHLO a"], "mail from user", "a colon is missing: `MAIL FROM:<user>`"),
            (&["EHLO a"], "mail user@a.test", "`FROM:` is missing: `MAIL FROM:<user@a.test>`"),
            (&["EHLO a"], "MAIL FROM: <a@a.test>", "no blank may follow"),
            (&["EHLO a"], "MAIL FROM:a@a.test", "angle brackets"),
            (&["EHLO a"], "MAIL FROM:<a@a.test", "closing"),
            (&["EHLO a"], "MAIL FROM:<anna>", "no domain"),
            (&["EHLO a"], "MAIL FROM:<a@a.test> SMTPUTF8", "needs SMTPUTF8"),
            (&["EHLO a"], "MAIL FROM:<a@a.test> NOTIFY=NEVER", "belongs to RCPT"),
            (mail, "RCPT TO:<>", "no recipient"),
            (mail, "RCPT TO:<a@a.test,b@b.test>", "second RCPT"),
            (rcpt, "BDAT 5", "next 5 octets"),
            (rcpt, "DATA now", "no argument"),
            (&["EHLO a"], "STARTTLS", "did not offer STARTTLS"),
            (&["EHLO a"], "AUTH CRAM-MD5", "but PLAIN LOGIN"),
            (&["EHLO a"], "MAILFROM:<a@a.test>", "write `MAIL FROM"),
            (&["EHLO a"], " NOOP", "blank stands before"),
            (&["EHLO a"], "HELLO", "no command"),
            (&["EHLO a"], "VRFY \u{e4}", "not all ASCII"),
            (&[], "EHLO", "needs your name"),
        ] {
            let found = find(line.as_bytes(), &after(lines));
            assert!(found.as_ref().is_some_and(|found| found.contains(words)), "{line}: {found:?}");
        }
    }

    #[test]
    fn one_login_in_a_session() {
        let mut progress = after(&["EHLO a"]);
        assert_eq!(find(b"AUTH PLAIN", &progress), None);
        progress.sent(Sent::command(b"AUTH PLAIN AGEAYg=="));
        progress.heard(235, &[]);
        assert!(find(b"AUTH PLAIN", &progress).unwrap().contains("RFC 4954"));
    }

    #[test]
    fn what_is_right_is_not_found_fault_with() {
        let mail = &["EHLO a", "MAIL FROM:<>"][..];
        let rcpt = &["EHLO a", "MAIL FROM:<>", "RCPT TO:<b@b.test>"][..];
        for (lines, line) in [
            (&[][..], "EHLO a.test"),
            (&[], "QUIT"),
            (&["EHLO a"], "MAIL FROM:<>"),
            (&["EHLO a"], "mail from:<a@a.test> SIZE=10 RET=HDRS"),
            (&["EHLO a"], "AUTH LOGIN"),
            (&["EHLO a"], "HELP"),
            (mail, "RCPT TO:<Postmaster>"),
            (mail, "RCPT TO:<b@b.test> NOTIFY=NEVER"),
            (mail, "RCPT TO:<@c.test,@d.test:b@b.test>"),
            (rcpt, "DATA"),
            (rcpt, "BDAT 0 LAST"),
            (&["EHLO a", "MAIL FROM:<>", "RCPT TO:<b@b.test>", "DATA"], "anything at all"),
        ] {
            assert_eq!(find(line.as_bytes(), &after(lines)), None, "{line}");
        }
    }
}
