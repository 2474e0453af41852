//! Two nodes in one process, each with a port that answers of media.

use salon_sfu::{CloseReason, Resumed, Role, Tag};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// More than a node has time to say while something ends all at once.
const MANY: usize = 6_000;

/// A node, and where others reach it.
async fn node() -> (Arc<Spread>, String) {
    let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let config = salon_sfu::Config { bind: here, relay: Some(here), ..salon_sfu::Config::default() };
    let (sfu, _events) = salon_sfu::start(config).unwrap();
    let nodes = Nodes::new(salon_cluster::Secret::new([7; 32])).unwrap();
    let (spread, mut heard) = Spread::new(sfu, nodes, Passage::default(), CancellationToken::new()).unwrap();
    let port = TcpListener::bind(here).await.unwrap();
    let address = port.local_addr().unwrap().to_string();
    spread.is_at(&address);
    tokio::spawn({
        let spread = spread.clone();
        async move {
            while let Ok((connection, _)) = port.accept().await {
                tokio::spawn(answers(spread.clone(), connection));
            }
        }
    });
    tokio::spawn(async move {
        while let Some(heard) = heard.recv().await {
            if let Heard::Up { done, .. } = heard {
                let _ = done.send(());
            }
        }
    });
    (spread, address)
}

async fn answers(spread: Arc<Spread>, mut connection: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    connection.write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: salon\r\n\r\n").await.unwrap();
    spread.accept(connection).await;
}

async fn two() -> (Arc<Spread>, Arc<Spread>, Link) {
    let ((one, _), (other, address)) = (node().await, node().await);
    let link = one.reach(&address).await.expect("they reach each other");
    (one, other, link)
}

/// A meeting of thousands that ends takes none along that others have at the same node.
#[tokio::test]
async fn what_ends_all_at_once_does_not_end_the_way_to_another_node() {
    let (_one, _other, link) = two().await;
    for number in 0..MANY {
        link.tell(Ask::CloseTransport { transport: format!("t{number}").as_str().into() });
    }
    let answer = link.ask(Ask::QuietFor { transport: "t".into() }).await;
    assert!(matches!(answer, Err(Refusal::Media(Error::UnknownTransport))), "{answer:?}");
    assert!(link.is_up());
}

/// As when a node comes back from which all of these come.
#[tokio::test]
async fn many_tracks_that_are_watched_at_once_do_not_end_the_way_to_another_node() {
    let (_one, _other, link) = two().await;
    let producers = (0..MANY).map(|number| ProducerId::from(format!("p{number}").as_str())).collect();
    link.watch(producers, &"r".into()).await.expect("the way is there");
    assert!(link.is_up());
}

/// A connection of an earlier run, whose session another node has.
fn earlier() -> Resumed {
    let (producers, consumed) = Default::default();
    let (transport, room, owner, note) = ("t".into(), "r".into(), "o".into(), "ada".to_owned());
    Resumed { transport, room, role: Role::Receive, owner, note, producers, consumed }
}

/// Its node closed it while there was no way here, and does not say any more that it has it.
#[tokio::test]
async fn what_was_closed_does_not_wait_for_anybody() {
    let (_one, other, link) = two().await;
    other.lodging.again(earlier());
    link.tell(Ask::CloseTransport { transport: "t".into() });
    let _ = link.ask(Ask::QuietFor { transport: "t".into() }).await;
    assert!(other.lodging.deserted(Instant::now()).is_empty());
}

#[tokio::test]
async fn whoever_goes_on_with_a_connection_hears_what_it_does_not_get_any_more() {
    let (_one, other, link) = two().await;
    let from = ["10.0.0.3:8790".to_owned()];
    other.lodging.left_behind(earlier(), from.clone().into());
    from.iter().chain(&["10.0.0.4:8790".to_owned()]).for_each(|gone| other.lodging.parted(gone));
    let answer = link.ask(Ask::Attach { have: Vec::new(), rooms: vec!["r".into()] }).await;
    let Ok(Answer::Attached(all)) = answer else { panic!("{answer:?}") };
    assert_eq!(all.into_iter().map(|lodged| lodged.lost).collect::<Vec<_>>(), [from]);
}

/// A node that is busy for a moment while many clients of before are refused.
#[tokio::test]
async fn what_may_be_left_out_does_not_end_the_way_to_a_node_that_is_slow() {
    let lodging = Lodging::default();
    let ((out, mut told), gone) = (mpsc::channel(8), CancellationToken::new());
    lodging.come(1, &"10.0.0.3:8790".into(), out, gone.clone());
    for _ in 0..100 {
        lodging.pass_on(&Event::Refused { tag: Tag::default(), role: Role::Send });
    }
    lodging.again(earlier());
    let ways = (1, "10.0.0.3:8790");
    let attach = Ask::Attach { have: Vec::new(), rooms: vec!["r".into()] };
    let (sfu, _events) = salon_sfu::start(salon_sfu::Config::default()).unwrap();
    lodging.obey(&sfu, ways, attach).await.expect("it goes on with it");
    lodging.pass_on(&Event::TransportClosed { transport: "t".into(), reason: CloseReason::ClosedByClient });
    assert!(!gone.is_cancelled());
    let mut last = None;
    while let Ok(word) = told.try_recv() {
        last = Some(word);
    }
    assert!(matches!(last, Some(Word::Event(Event::TransportClosed { .. }))), "{last:?}");
}
