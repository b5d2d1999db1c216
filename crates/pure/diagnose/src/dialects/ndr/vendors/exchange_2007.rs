//! Exchange 2007 and later on one's own servers: `Generating server:` wrote the report; behind the recipient stands the server that refused, if it was another, then `#550 5.1.1 ... ##`.

use super::{Sign, Vendor, exchange::refine};

pub(super) const VENDOR: Vendor = Vendor {
    name: "exchange-2007",
    signs: &[
        Sign::Text("generating server:"),
        Sign::Text("generierender server"),
        Sign::Text("serveur de génération"),
        Sign::Text("servidor de generación"),
        Sign::Text("server di generazione"),
        Sign::Text("servidor de geração"),
        Sign::Text("生成サーバー"),
        Sign::Text("生成服务器"),
        Sign::Text("diagnostic information for administrators"),
        Sign::Text("#smtp#"),
    ],
    refine: Some(refine),
};
