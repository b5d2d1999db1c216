//! `v=DMARC1; p=none; ...`: the tag lists of DMARC, DKIM, TLS-RPT and BIMI (RFC 6376 section 3.2). Pure.

/// Tags with their values, trimmed, in order; names in lower case. What stands without `=` is the error.
pub(super) fn read(text: &str) -> Result<Vec<(String, &str)>, String> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    let tag = |part: &'_ str| -> Result<(String, usize), String> {
        let (name, _) =
            part.split_once('=').ok_or_else(|| format!("`{part}` is no `tag=value`"))?;
        Ok((name.trim().to_ascii_lowercase(), name.len() + 1))
    };
    let mut tags: Vec<(String, &str)> = Vec::new();
    for part in parts {
        let (name, from) = tag(part)?;
        if tags.iter().any(|(known, _)| *known == name) {
            return Err(format!("`{name}` stands there twice"));
        }
        tags.push((name, part[from..].trim()));
    }
    Ok(tags)
}

/// The value of a tag.
pub(super) fn value<'a>(tags: &[(String, &'a str)], name: &str) -> Option<&'a str> {
    tags.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
}

/// Whether a text begins with that version, as a whole tag: `v=DMARC1` but not `v=DMARC12`.
pub(super) fn has_version(text: &str, version: &str) -> bool {
    let (Some(name), Some(rest)) = (version.split_once('='), text.split_once('=')) else {
        return false;
    };
    let value = rest.1.trim_start();
    rest.0.trim().eq_ignore_ascii_case(name.0)
        && value.get(..name.1.len()).is_some_and(|own| own.eq_ignore_ascii_case(name.1))
        && value[name.1.len()..]
            .chars()
            .next()
            .is_none_or(|next| next == ';' || next.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let tags = read(" v = DMARC1 ;P=none; rua=mailto:a@b.test?x=y;").unwrap();
        assert_eq!(value(&tags, "p"), Some("none"));
        assert_eq!(value(&tags, "rua"), Some("mailto:a@b.test?x=y"));
        assert!(read("v=DMARC1; none").is_err() && read("p=a; P=b").is_err());
        for (text, is_it) in [
            ("v=DMARC1; p=none", true),
            ("v = dmarc1", true),
            ("v=DMARC12; p=none", false),
            ("x=DMARC1", false),
            ("v=DMARC", false),
            ("v=DMARCé", false), // no cut within a character
        ] {
            assert_eq!(has_version(text, "v=DMARC1"), is_it, "{text}");
        }
    }
}
