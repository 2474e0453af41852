//! Session descriptions as a browser writes them. Nothing ever connects to them: the tests ask what the server allows, not
//! what it forwards.

use salon_peer::sdp::{self, Credentials, Kind};

pub use salon_peer::sdp::msid;

fn credentials() -> Credentials {
    Credentials {
        ufrag: "abcd".to_owned(),
        password: "0123456789abcdefghijklmn".to_owned(),
        fingerprint: format!("sha-256 {}", ["AB"; 32].join(":")),
    }
}

/// An offer of the two placeholders, mids 0 and 1, and one section for each track, from mid 2 on.
pub fn offer(tracks: &[&str]) -> String {
    let kinds: Vec<Kind> = tracks.iter().map(|kind| if *kind == "audio" { Kind::Audio } else { Kind::Video }).collect();
    sdp::offer(&credentials(), &kinds)
}

/// The answer of a client that takes everything in the server's offer.
pub fn answer(offer: &str) -> String {
    sdp::answer(offer, &credentials())
}
