//! The parameters of MAIL and RCPT, with the EHLO keyword that each needs.

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// MAIL or RCPT.
    pub verb: &'static str,
    /// Without `=`.
    pub keyword: &'static str,
    /// The EHLO keyword.
    pub needs: &'static str,
    /// As they may be typed; what ends with `=` wants a value.
    pub forms: &'static [&'static str],
}

/// All of them.
pub const ALL: [Row; 15] = [
    row("MAIL", "SIZE", "SIZE", &["SIZE="]),
    row("MAIL", "BODY", "8BITMIME", &["BODY=7BIT", "BODY=8BITMIME", "BODY=BINARYMIME"]),
    row("MAIL", "SMTPUTF8", "SMTPUTF8", &["SMTPUTF8"]),
    row("MAIL", "RET", "DSN", &["RET=FULL", "RET=HDRS"]),
    row("MAIL", "ENVID", "DSN", &["ENVID="]),
    row("MAIL", "AUTH", "AUTH", &["AUTH=<>"]),
    row("MAIL", "REQUIRETLS", "REQUIRETLS", &["REQUIRETLS"]),
    row("MAIL", "HOLDFOR", "FUTURERELEASE", &["HOLDFOR="]),
    row("MAIL", "HOLDUNTIL", "FUTURERELEASE", &["HOLDUNTIL="]),
    row("MAIL", "BY", "DELIVERBY", &["BY="]),
    row("MAIL", "MT-PRIORITY", "MT-PRIORITY", &["MT-PRIORITY="]),
    row("MAIL", "SOLICIT", "NO-SOLICITING", &["SOLICIT="]),
    row(
        "RCPT",
        "NOTIFY",
        "DSN",
        &["NOTIFY=NEVER", "NOTIFY=SUCCESS,FAILURE,DELAY", "NOTIFY=FAILURE"],
    ),
    row("RCPT", "ORCPT", "DSN", &["ORCPT=rfc822;"]),
    row("RCPT", "RRVS", "RRVS", &["RRVS="]),
];

const fn row(
    verb: &'static str,
    keyword: &'static str,
    needs: &'static str,
    forms: &'static [&'static str],
) -> Row {
    Row { verb, keyword, needs, forms }
}
