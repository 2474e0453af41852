//! Session descriptions as a browser writes them, cut down to what a server reads.
//! Nothing ever connects to them: the tests ask what the server allows, not what it forwards.

const UFRAG: &str = "a=ice-ufrag:abcd";
const PWD: &str = "a=ice-pwd:0123456789abcdefghijklmn";

fn fingerprint() -> String {
    format!("a=fingerprint:sha-256 {}", ["AB"; 32].join(":"))
}

/// An offer of the two placeholders, mids 0 and 1, and one section for each track, from mid 2 on.
pub fn offer(tracks: &[&str]) -> String {
    let kinds: Vec<&str> = ["audio", "video"].into_iter().chain(tracks.iter().copied()).collect();
    let mids: Vec<String> = (0..kinds.len()).map(|mid| mid.to_string()).collect();
    let head = format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n", mids.join(" "));
    let sections = kinds.iter().enumerate().map(|(mid, kind)| section(mid, kind));
    head + &sections.collect::<String>()
}

/// What the section with this mid says its track is called.
pub fn msid(mid: usize) -> String {
    format!("stream track-{mid}")
}

fn section(mid: usize, kind: &str) -> String {
    let (payload, codec) = if kind == "audio" { (111, "opus/48000/2") } else { (96, "VP8/90000") };
    let msid = msid(mid);
    let lines = [
        format!("m={kind} 9 UDP/TLS/RTP/SAVPF {payload}"),
        "c=IN IP4 0.0.0.0".to_owned(),
        UFRAG.to_owned(),
        PWD.to_owned(),
        fingerprint(),
        "a=setup:actpass".to_owned(),
        format!("a=mid:{mid}"),
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid".to_owned(),
        "a=sendonly".to_owned(),
        format!("a=msid:{msid}"),
        "a=rtcp-mux".to_owned(),
        format!("a=rtpmap:{payload} {codec}"),
    ];
    lines.map(|line| line + "\r\n").concat()
}

/// The answer of a client that takes everything in the server's offer.
pub fn answer(offer: &str) -> String {
    offer
        .lines()
        .filter(|line| !["a=candidate", "a=ssrc", "a=ice-lite", "a=msid:"].iter().any(|own| line.starts_with(own)))
        .map(|line| match line {
            line if line.starts_with("a=ice-ufrag") => format!("{UFRAG}\r\n"),
            line if line.starts_with("a=ice-pwd") => format!("{PWD}\r\n"),
            line if line.starts_with("a=fingerprint") => format!("{}\r\n", fingerprint()),
            "a=sendonly" => "a=recvonly\r\n".to_owned(),
            "a=recvonly" => "a=sendonly\r\n".to_owned(),
            "a=setup:actpass" => "a=setup:active\r\n".to_owned(),
            line => format!("{line}\r\n"),
        })
        .collect()
}
