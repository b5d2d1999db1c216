//! Old reports that are nothing but a transcript: `554 <bob@b.test>... 550 Host unknown`.

use super::{blocks::Block, text};

/// A block for each recipient whom a line of the transcript refuses; the lines of the dialogue before it go
/// with it.
pub(super) fn read(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut dialogue = String::new();
    for (index, line) in text.lines().take(2_000).enumerate() {
        let line = line.trim();
        let lower = line.to_ascii_lowercase();
        if lower.starts_with("while talking to") {
            dialogue.clear();
        }
        if let Some(recipient) = refused(line) {
            let words = format!("{dialogue}{line}");
            let is_known = blocks.iter().any(|block| block.recipient == recipient);
            if !is_known {
                blocks.push(Block {
                    recipient,
                    words: text::joined(line, super::blocks::WORDS_MAX),
                    lines: words,
                    first: index as u64 + 1,
                    last: index as u64 + 1,
                });
            }
            dialogue.clear();
        } else if line.starts_with(">>>")
            || line.starts_with("<<<")
            || lower.starts_with("while talking to")
        {
            dialogue.push_str(line);
            dialogue.push('\n');
        }
    }
    blocks
}

/// `554 <bob@b.test>... why`
fn refused(line: &str) -> Option<String> {
    let (at, _) = text::code(line)?;
    let rest = line.get(3..)?.trim_start();
    let rest = rest.strip_prefix('<').unwrap_or(rest);
    let is_one = at == 0 && line.contains("...");
    let front = rest.split("...").next().filter(|_| is_one)?;
    let address = text::first_address(front)?;
    front.starts_with(&address).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_for_each() {
        let blocks = read(
            "While talking to b.test:\n>>> RCPT To:<bob@b.test>\n<<< 550 no\n550 <bob@b.test>... User unknown\n\
             554 <eve@e.test>... 550 Host unknown (Authoritative answer from name server)\n",
        );
        let found: Vec<_> =
            blocks.iter().map(|b| (b.recipient.as_str(), b.words.as_str())).collect();
        assert_eq!(
            found,
            [
                ("bob@b.test", "550 <bob@b.test>... User unknown"),
                (
                    "eve@e.test",
                    "554 <eve@e.test>... 550 Host unknown (Authoritative answer from name server)"
                ),
            ]
        );
        assert!(blocks[0].lines.contains("<<< 550 no"));
    }
}
