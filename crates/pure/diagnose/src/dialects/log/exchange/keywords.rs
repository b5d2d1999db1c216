//! An EHLO reply that Exchange since 2013 has on one record: its lines, taken apart again.

use crate::dialogue::offer::is_masked;

/// Keywords that Exchange advertises, without their parameters.
const KEYWORDS: [&str; 38] = [
    "SIZE",
    "PIPELINING",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "STARTTLS",
    "X-ANONYMOUSTLS",
    "AUTH",
    "X-EXPS",
    "8BITMIME",
    "BINARYMIME",
    "CHUNKING",
    "XEXCH50",
    "XRDST",
    "XSHADOW",
    "XSHADOWREQUEST",
    "XPROXY",
    "XPROXYFROM",
    "XPROXYTO",
    "XMESSAGECONTEXT",
    "XSESSIONMDBGUID",
    "XSYSPROBE",
    "XORIGFROM",
    "XCLIENT",
    "XFORWARD",
    "SMTPUTF8",
    "HELP",
    "ETRN",
    "VRFY",
    "EXPN",
    "TURN",
    "X-LINK2STATE",
    "DELIVERBY",
    "XOORG",
    "XATTR",
    "XATTRDIRECT",
    "XATTRORGID",
    "XSESSIONTYPE",
    "XEXPROPS",
];

/// The lines of a reply. `250  mail.a.test Hello [192.0.2.1] SIZE 1 PIPELINING DSN` becomes one line each
/// for the greeting and each keyword; every other text is one line.
pub(super) fn unfolded(text: &str) -> Vec<String> {
    let Some(rest) = text.strip_prefix("250 ") else { return vec![text.to_owned()] };
    let words: Vec<&str> = rest.split(' ').filter(|word| !word.is_empty()).collect();
    let found = words.iter().filter(|word| is_keyword(word)).count();
    // One word alone may be anything: `250 HELP`.
    if found < 3 {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if !is_keyword(word) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let last = lines.len() - 1;
    let mark = |at: usize| if at == last { ' ' } else { '-' };
    lines.iter().enumerate().map(|(at, line)| format!("250{}{line}", mark(at))).collect()
}

/// Whether a word begins a line. `AUTH=LOGIN` does; a mechanism behind AUTH does not.
fn is_keyword(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or(word);
    KEYWORDS.contains(&name) || is_masked(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_each() {
        assert_eq!(
            unfolded(
                "250  ex.a.test Hello [192.0.2.1] SIZE 37748736 PIPELINING DSN X-ANONYMOUSTLS AUTH NTLM LOGIN XRDST"
            ),
            [
                "250-ex.a.test Hello [192.0.2.1]",
                "250-SIZE 37748736",
                "250-PIPELINING",
                "250-DSN",
                "250-X-ANONYMOUSTLS",
                "250-AUTH NTLM LOGIN",
                "250 XRDST"
            ]
        );
        assert_eq!(
            unfolded(
                "250  ex.a.test Hello [192.0.2.1] SIZE PIPELINING XXXXXXXA XXXXXXXXXXXXXB DSN"
            ),
            [
                "250-ex.a.test Hello [192.0.2.1]",
                "250-SIZE",
                "250-PIPELINING",
                "250-XXXXXXXA",
                "250-XXXXXXXXXXXXXB",
                "250 DSN"
            ]
        );
        assert_eq!(unfolded("250 2.1.0 Sender OK"), ["250 2.1.0 Sender OK"]);
        assert_eq!(unfolded("250-SIZE"), ["250-SIZE"]);
    }
}
