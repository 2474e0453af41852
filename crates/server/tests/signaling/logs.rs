//! A server that logs everything it can, through a call with media: nothing of what is never logged is in there.

use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};

use salon_wire::event_id::{chat, polls};
use salon_wire::signaling::socket::{chat as said, polls as asked};
use serde_json::json;

use crate::client::Client;
use crate::house::Folder;
use crate::http::Call;
use crate::media::camera;
use crate::node::Node;

/// Whether a text is the address of a machine, with or without a port.
fn is_address(text: &str) -> bool {
    let text = text.trim_matches(|letter: char| "()<>,;\"'=".contains(letter));
    text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok()
}

async fn ask(node: &Node, method: &str, path: &str, credential: &str) -> u16 {
    let call = Call::new(node.address.parse().unwrap(), method, path).header("authorization", credential);
    call.json(&json!({ "title": "Secret-title" })).send().await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_never_logged_is_logged_at_any_level() {
    let data = Folder::new();
    let log = data.join("log");
    let node = Node::logging(&data, "trace", std::fs::File::create(&log).unwrap().into());
    let meeting = node.meeting(60).await;
    let (ada, bob) = (node.host(&meeting, "Zaphod-Ada").await, node.guest(&meeting, "Zaphod-Bob").await);
    let mut secrets: Vec<String> =
        ["dev-token", "Zaphod", "Secret-", "eyJ", "wrong-key", "ufrag", "ice-pwd", "candidate:", "a=mid"]
            .map(str::to_owned)
            .into();
    secrets.extend([ada.token.clone(), bob.token.clone()]);

    // Signaling, right and wrong.
    let (mut alice, mut bobby) = (ada.join_with_media().await, bob.join_with_media().await);
    alice
        .tell(chat::SEND_MESSAGE_TO_ROOM, &said::SendChatMessageToRoomRequest { payload_type: 0, payload: "Secret-chat".into() })
        .await;
    let _: said::SendChatMessageToRoomResponse = bobby.hear(chat::SEND_MESSAGE_TO_ROOM).await;
    let poll =
        asked::NewPollRequest { question: "Secret-poll".into(), options: vec!["yes".into(), "no".into()], ..Default::default() };
    alice.tell(polls::CREATE_POLL, &poll).await;
    let _: asked::UpdatePollResponse = bobby.hear(polls::CREATE_POLL).await;
    let transport = alice.open_transport(false).await.unwrap();
    let _ = alice.verdict(salon_wire::event_id::media::PRODUCE, &prost::Message::encode_to_vec(&camera(&transport))).await;
    for junk in [&b"\xff\xff"[..], b"Secret-junk"] {
        let _ = alice.verdict(chat::SEND_MESSAGE_TO_ROOM, junk).await;
        let _ = alice.verdict(9_999, junk).await;
    }
    let stranger = crate::house::Person { token: "eyJ.wrong-key".into(), ..node.guest(&meeting, "Zaphod-Eve").await };
    assert_eq!(Client::connect(&stranger).await.err(), Some(401));

    // REST, right and wrong.
    let kit = "/client/v4/accounts/dev/realtime/kit/dev";
    assert_eq!(ask(&node, "POST", &format!("{kit}/meetings"), "Bearer dev-token").await, 201);
    for (path, status) in [(format!("{kit}/meetings"), 403), (format!("{kit}/nope"), 403), ("/v2/meetings".to_owned(), 401)] {
        assert_eq!(ask(&node, "GET", &path, "Bearer wrong-key").await, status, "{path}");
    }

    // Media, with everything that comes before it: candidates, checks, keys.
    let url = format!("http://{}", node.address);
    let bench = Command::new(env!("CARGO_BIN_EXE_salon"))
        .args(["bench", "--quiet", "--subscribers=1", "--duration=1", "--settle=0.2", "--floor=0.1", "--url", &url])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert!(bench.status.success(), "{}", String::from_utf8_lossy(&bench.stderr));
    alice.leave().await;
    drop(bobby);
    let own = node.address.to_string();
    drop(node);

    let log = std::fs::read_to_string(log).unwrap();
    let lines = log.lines().count();
    assert!(log.contains(" TRACE salon_doors::rest::door: ") && lines > 20, "it told what it could:\n{log}");
    for line in log.lines() {
        assert!(line.contains(" salon") || line.starts_with("salon dev: "), "libraries keep silent: {line}");
        for secret in secrets.iter().filter(|_| !line.starts_with("salon dev: ")) {
            assert!(!line.contains(secret.as_str()), "{secret} is in {line}");
        }
        let address = line.split([' ', '=', '"', '[', ']']).find(|word| is_address(word));
        // Where it listens, for clients and for encoders, is told once, as it starts.
        let tells_own = |address: &&str| *address == own && line.contains(": starting version=");
        let address =
            address.filter(|address| !tells_own(address) && !line.contains(": others may stream to here address=127.0.0.1:"));
        assert_eq!(address, None, "{line}");
    }
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("credentials were refused")).collect();
    assert_eq!(refused.len(), 2, "one of each door, however many came: {refused:?}");
}
