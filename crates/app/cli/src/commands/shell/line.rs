//! What was typed: a line for the server, or an order to the shell.
//!
//! A line of a script means the same as one typed at the prompt. Orders begin with a colon, which no SMTP
//! command does; `!` before a line sends it whatever is wrong with it; a line with `#` in front is a comment.

use std::{path::PathBuf, time::Duration};

use sasl::Mechanism;

use super::login;

/// One line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// For the server, without its line ending.
    Say(Vec<u8>),
    /// The same, and nobody is to warn.
    Insist(Vec<u8>),
    /// For the shell.
    Order(Order),
    /// A comment, or nothing.
    Nothing,
}

/// What the shell does for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// STARTTLS with the handshake.
    StartTls,
    /// A login.
    Auth { mechanism: Mechanism, user: String },
    /// DATA and a file as content.
    Data(PathBuf),
    /// A file by BDAT, in chunks of so many octets if that is given.
    Bdat(PathBuf, Option<usize>),
    /// Octets as they are.
    Raw(Vec<u8>),
    /// Nothing for a while, but to show what the server says.
    Wait(Duration),
    /// Write the transcript into that file from now on.
    Transcript(PathBuf),
    /// Show octets too, or no longer.
    Hex,
    /// Collect lines, to be sent at once.
    Pipeline,
    /// Send what was collected.
    End,
    /// What can be typed.
    Help,
    /// QUIT, and leave.
    Quit,
}

/// All orders as they are typed, with what they do.
pub const ORDERS: [(&str, &str); 13] = [
    (":starttls", "STARTTLS and the handshake; what was negotiated is shown"),
    (
        ":auth MECHANISM USER",
        "log in; the password or token is asked for (in a pipe: the next line)",
    ),
    (":data FILE", "DATA, and the file as content: CRLF, dots stuffed, the final dot"),
    (":bdat FILE [CHUNK]", "the file as it is by BDAT, in chunks of CHUNK octets"),
    (":raw TEXT", "send exactly that, without CRLF; \\r \\n \\t \\0 \\xHH \\\\ stand for octets"),
    (":wait SECONDS", "show what the server says for so long"),
    (":pipeline", "collect lines"),
    (":end", "send the collected lines at once, then wait for all replies"),
    (":transcript FILE", "write the transcript into that file as well, from the beginning"),
    (":hex", "show the octets of each line, or no longer"),
    (":help", "this"),
    (":quit", "QUIT, and leave"),
    ("!LINE", "send LINE whatever is wrong with it; so does typing it again"),
];

/// Reads a line without its ending.
///
/// # Errors
/// What is wrong with an order, for the one who typed it.
pub fn read(line: &[u8]) -> Result<Typed, String> {
    match line {
        [] => Ok(Typed::Nothing),
        [b'#', ..] => Ok(Typed::Nothing),
        [b'!', rest @ ..] => Ok(Typed::Insist(rest.to_vec())),
        [b':', rest @ ..] => order(rest).map(Typed::Order),
        _ => Ok(Typed::Say(line.to_vec())),
    }
}

fn order(text: &[u8]) -> Result<Order, String> {
    let text = str::from_utf8(text).map_err(|_| "an order is UTF-8".to_owned())?;
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let argument = rest.trim();
    match (name.to_ascii_lowercase().as_str(), argument) {
        ("raw", _) => unescaped(rest).map(Order::Raw),
        ("data", file) if !file.is_empty() => Ok(Order::Data(file.into())),
        ("bdat", argument) if !argument.is_empty() => bdat(argument),
        ("transcript", file) if !file.is_empty() => Ok(Order::Transcript(file.into())),
        ("auth", argument) => auth(argument),
        ("wait", seconds) => wait(seconds),
        ("data" | "bdat" | "transcript", _) => Err(format!("`:{name}` needs a file")),
        (_, argument) if !argument.is_empty() && alone(name).is_some() => {
            Err(format!("`:{name}` takes no argument"))
        }
        _ => alone(name).ok_or_else(|| format!("there is no order `:{name}`; `:help` lists them")),
    }
}

fn alone(name: &str) -> Option<Order> {
    Some(match name.to_ascii_lowercase().as_str() {
        "starttls" => Order::StartTls,
        "hex" => Order::Hex,
        "pipeline" => Order::Pipeline,
        "end" => Order::End,
        "help" => Order::Help,
        "quit" => Order::Quit,
        _ => return None,
    })
}

fn bdat(argument: &str) -> Result<Order, String> {
    // The last word is a size if it is a number and something stands before it.
    if let Some((file, last)) = argument.rsplit_once(' ')
        && last.bytes().all(|octet| octet.is_ascii_digit())
    {
        return match last.parse() {
            Ok(size) if size > 0 => Ok(Order::Bdat(file.trim().into(), Some(size))),
            _ => Err(format!("`{last}` is no size of a chunk: a number from 1 on")),
        };
    }
    Ok(Order::Bdat(argument.into(), None))
}

fn auth(argument: &str) -> Result<Order, String> {
    let form = || {
        let names = login::POSSIBLE.map(|mechanism| mechanism.name().to_lowercase()).join(", ");
        format!("the form is `:auth MECHANISM USER`, by one of {names}")
    };
    let (mechanism, user) = argument.split_once(' ').ok_or_else(form)?;
    let mechanism = Mechanism::by_name(mechanism).filter(|it| login::POSSIBLE.contains(it));
    let mechanism = mechanism.ok_or_else(form)?;
    Ok(Order::Auth { mechanism, user: user.trim().to_owned() })
}

fn wait(seconds: &str) -> Result<Order, String> {
    let wrong = || format!("`{seconds}` is no number of seconds from 0 to 3600");
    let number: f64 = seconds.parse().map_err(|_| wrong())?;
    let fits = (0.0..=3_600.0).contains(&number);
    fits.then(|| Order::Wait(Duration::from_secs_f64(number))).ok_or_else(wrong)
}

/// The octets that a text with escapes stands for.
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [octet, tail @ ..] = rest {
        rest = tail;
        if *octet != b'\\' {
            out.push(*octet);
            continue;
        }
        let (octet, tail) = match rest {
            [b'r', tail @ ..] => (b'\r', tail),
            [b'n', tail @ ..] => (b'\n', tail),
            [b't', tail @ ..] => (b'\t', tail),
            [b'0', tail @ ..] => (0, tail),
            [b'\\', tail @ ..] => (b'\\', tail),
            [b'x', high, low, tail @ ..] => {
                let digits = [*high, *low];
                let octet = str::from_utf8(&digits)
                    .ok()
                    .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                (octet.ok_or("behind `\\x` come two hexadecimal digits")?, tail)
            }
            _ => return Err("behind `\\` comes r, n, t, 0, xHH or another `\\`".to_owned()),
        };
        out.push(octet);
        rest = tail;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (line, typed) in [
            ("", Typed::Nothing),
            ("# a remark", Typed::Nothing),
            ("EHLO a.test", Typed::Say(b"EHLO a.test".to_vec())),
            ("!rcpt to:x", Typed::Insist(b"rcpt to:x".to_vec())),
            (":QUIT", Typed::Order(Order::Quit)),
            (":raw a\\x00\\r\\n", Typed::Order(Order::Raw(b"a\0\r\n".to_vec()))),
            (":wait 0.5", Typed::Order(Order::Wait(Duration::from_millis(500)))),
            (":bdat a file.eml 10", Typed::Order(Order::Bdat("a file.eml".into(), Some(10)))),
            (":bdat 10", Typed::Order(Order::Bdat("10".into(), None))),
            (
                ":auth cram-md5 anna",
                Typed::Order(Order::Auth { mechanism: Mechanism::CramMd5, user: "anna".into() }),
            ),
        ] {
            assert_eq!(read(line.as_bytes()), Ok(typed), "{line}");
        }
        for line in [
            ":nonsense",
            ":data",
            ":hex 1",
            ":auth plain",
            ":auth gssapi x",
            ":raw \\q",
            ":raw \\x+1",
            ":raw \\x1",
            ":wait -1",
            ":wait NaN",
            ":wait 1e9",
            ":bdat a 0",
        ] {
            assert!(read(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn every_order_that_is_listed_is_known() {
        for (form, _) in ORDERS.iter().filter(|(form, _)| form.starts_with(':')) {
            let name = form.split(' ').next().unwrap();
            let why = read(name.as_bytes()).err().unwrap_or_default();
            assert!(!why.contains("there is no order"), "{form}: {why}");
        }
    }
}
