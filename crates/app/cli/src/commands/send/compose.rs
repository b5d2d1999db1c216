//! The message that `send` sends.
//!
//! | asked for                         | becomes                                                    |
//! |-----------------------------------|------------------------------------------------------------|
//! | no header fields                  | text and file as they stand, lines ended by CRLF           |
//! | header fields                     | the fields, an empty line, text and file, encoded as needed |
//! | header fields, file that has some | the fields, then the file as it stands (unless `-c`)       |
//! | attachments                       | a multipart message                                        |

use std::{
    io::{IsTerminal, Read},
    path::Path,
};

use message::{
    compose::{Attachment, Parts, media_type, with_crlf, write},
    header,
};
use world::World;

use super::Send;
use crate::problem::Problem;

/// The machine's name, as EHLO needs it.
pub fn own_name() -> String {
    mta::config::Config::default().hostname
}

/// Who runs this command.
pub fn own_address() -> String {
    let user = ["LOGNAME", "USER"].iter().find_map(|name| std::env::var(name).ok());
    format!("{}@{}", user.as_deref().unwrap_or("postmaster"), own_name())
}

/// The whole content, with CRLF line endings.
pub fn message(order: &Send, world: &World) -> Result<Vec<u8>, Problem> {
    let mut text = order.body.clone().unwrap_or_default().into_bytes();
    let file = file_of(order)?;
    let wants_fields = order.headers
        || order.subject.is_some()
        || !order.fields.is_empty()
        || !order.attach.is_empty();
    if !wants_fields {
        append(&mut text, &file, order.crlf);
        let mut content = with_crlf(&text);
        if !content.ends_with(b"\r\n") {
            content.extend_from_slice(b"\r\n");
        }
        return Ok(content);
    }
    let has_fields = text.is_empty() && !order.crlf && begins_with_fields(&file);
    if has_fields && order.attach.is_empty() {
        let mut content = fields_only(order, world);
        content.extend_from_slice(&with_crlf(&file));
        return Ok(content);
    }
    append(&mut text, &file, false);
    let files = order.attach.iter().map(|path| Ok((name_of(path), read(path)?)));
    let files: Vec<(String, Vec<u8>)> = files.collect::<Result<_, Problem>>()?;
    Ok(composed(order, world, &text, &files))
}

fn composed(order: &Send, world: &World, text: &[u8], files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let attachments: Vec<Attachment<'_>> = files
        .iter()
        .map(|(name, content)| Attachment { name, media_type: media_type(name), content })
        .collect();
    let own = own_address();
    let fields: Vec<(&str, &str)> = order
        .fields
        .iter()
        .filter_map(|field| field.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    let to: Vec<&str> = order.to.iter().map(String::as_str).collect();
    let message_id = format!("{:016x}.send@{}", world.random.u64(), own_name());
    let boundary = format!("=_{:016x}{:016x}", world.random.u64(), world.random.u64());
    write(&Parts {
        from: order.from.as_deref().filter(|from| !matches!(*from, "" | "<>")).unwrap_or(&own),
        to: &to,
        cc: &[],
        subject: order.subject.as_deref().unwrap_or_default(),
        at: world.clock.now(),
        offset: 0,
        message_id: &message_id,
        boundary: &boundary,
        fields: &fields,
        text,
        attachments: &attachments,
    })
}

/// The generated fields, without MIME's and without the empty line: the file brings its own.
fn fields_only(order: &Send, world: &World) -> Vec<u8> {
    let mut content = composed(order, world, b"", &[]);
    // `composed` writes MIME's fields last, and no value has a CRLF of its own.
    let mime = b"MIME-Version: 1.0\r\n";
    let start = content.windows(mime.len()).position(|part| part == mime);
    content.truncate(start.unwrap_or(content.len()));
    content
}

fn append(text: &mut Vec<u8>, file: &[u8], empty_line: bool) {
    if empty_line {
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(file);
}

/// Whether it goes on with header fields, or with the empty line behind them.
fn begins_with_fields(file: &[u8]) -> bool {
    file.starts_with(b"\r\n") || file.starts_with(b"\n") || header::fields(file).next().is_some()
}

fn file_of(order: &Send) -> Result<Vec<u8>, Problem> {
    match &order.file {
        Some(path) if path.as_os_str() == "-" => standard_input(),
        Some(path) => read(path),
        None if order.body.is_none() && !std::io::stdin().is_terminal() => standard_input(),
        None => Ok(Vec::new()),
    }
}

fn standard_input() -> Result<Vec<u8>, Problem> {
    let mut text = Vec::new();
    std::io::stdin()
        .read_to_end(&mut text)
        .map_err(|error| Problem::new(format!("cannot read standard input: {error}")))?;
    Ok(text)
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path)
        .map_err(|error| Problem::new(format!("cannot read `{}`: {error}", path.display())))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use world::{Clock, Net, Random, disk::real::RealDisk, dns::table::TableDns};

    use super::*;

    #[derive(Debug, Parser)]
    #[command(disable_help_flag = true)]
    struct Line {
        #[command(flatten)]
        order: Send,
    }

    fn made(arguments: &[&str]) -> String {
        let world = World {
            clock: Clock::Real,
            disk: std::sync::Arc::new(RealDisk),
            dns: std::sync::Arc::new(TableDns::default()),
            net: Net::Real,
            random: Random::seeded(1),
        };
        let line = ["send", "-t", "b@b.test", "-f", "Alice <a@a.test>"];
        let line = Line::try_parse_from(line.iter().chain(arguments)).expect("arguments");
        String::from_utf8(message(&line.order, &world).expect("a message")).expect("text")
    }

    /// The letters of bmail, one by one and together.
    #[test]
    fn text_fields_and_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let (whole, bare) = (file("whole", "X-Own: 1\n\nhello\n"), file("bare", "hello\n"));

        assert_eq!(made(&["-b", "just this"]), "just this\r\n", "as it stands");
        assert_eq!(made(&["-m", &whole]), "X-Own: 1\r\n\r\nhello\r\n", "the file is the message");
        assert_eq!(made(&["-c", "-m", &bare]), "\r\nhello\r\n", "an empty header section");
        assert_eq!(made(&["-b", "X: 1\n", "-c", "-m", &bare]), "X: 1\r\n\r\nhello\r\n");

        let fields = made(&["-h", "-a", "Hi", "-b", "hello"]);
        let (head, body) = fields.split_once("\r\n\r\n").expect("two parts");
        for field in ["From: Alice <a@a.test>", "To: b@b.test", "Subject: Hi"] {
            assert!(head.lines().any(|line| line == field), "{head}");
        }
        assert_eq!(body, "hello\r\n");
        assert!(made(&["-h", "-c", "-m", &bare]).ends_with("\r\n\r\nhello\r\n"));

        let joined = made(&["-h", "-m", &whole]);
        assert!(joined.ends_with("\r\nX-Own: 1\r\n\r\nhello\r\n"), "{joined}");
        assert!(!joined.contains("Content-Type"), "the file brings its own: {joined}");

        let attached = made(&["--attach", &bare, "-b", "see"]);
        assert!(attached.contains("multipart/mixed") && attached.contains("filename=\"bare\""));
    }
}
