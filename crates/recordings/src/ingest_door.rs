//! Where others stream to us by RTMP: who they are is found out here, and what they send is read by a process of their own.
//! Invariant: who is not let in is heard for `WITHIN` and `MOST_READ` bytes at most, and no media is ever read here. Keys are in no
//! log.
//! Next: `ingest_job.rs`, which lets them in; `waiting.rs`, how many may wait; `salon_recorder::rtmp`, what is said.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use salon_recorder::rtmp::{Heard, Key, No, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::livestreams::Livestreams;
use crate::waiting::Waiting;

/// Whoever wants to stream has this long to say so.
const WITHIN: Duration = Duration::from_secs(10);

/// And so many bytes: a handshake of three thousand, and a few commands.
const MOST_READ: usize = 32 * 1_024;

/// How long whoever is not let in has to take the answer.
const ANSWERED: Duration = Duration::from_secs(2);

/// How long it is waited when the system gives no more connections.
const AGAIN: Duration = Duration::from_millis(100);

type Closing = Arc<Mutex<(Waiting, HashMap<u64, CancellationToken>)>>;

/// Takes those who stream, until the node stops.
pub async fn serve(listener: TcpListener, livestreams: Livestreams, stop: CancellationToken) {
    let closing = Closing::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((connection, from)) = accepted else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        let (number, close) = enter(&closing, from);
        let (livestreams, closing) = (livestreams.clone(), closing.clone());
        tokio::spawn(async move {
            let _ = close.run_until_cancelled(timeout(WITHIN, greet(connection, &livestreams))).await;
            if let Ok(mut closing) = closing.lock() {
                closing.0.leave(number);
                closing.1.remove(&number);
            }
        });
    }
}

fn enter(closing: &Closing, from: SocketAddr) -> (u64, CancellationToken) {
    let mut closing = closing.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (number, goes) = closing.0.enter(from.ip());
    goes.and_then(|goes| closing.1.remove(&goes)).into_iter().for_each(|goes| goes.cancel());
    let close = CancellationToken::new();
    closing.1.insert(number, close.clone());
    (number, close)
}

/// Finds out who it is, and hands them on.
async fn greet(mut connection: TcpStream, livestreams: &Livestreams) -> std::io::Result<()> {
    let _ = connection.set_nodelay(true);
    let mut session = Session::new(uuid::Uuid::new_v4().into_bytes());
    let (mut read, mut buffer) = (Vec::new(), [0; 4_096]);
    let Key(key) = loop {
        let length = connection.read(&mut buffer).await?;
        if length == 0 || read.len() + length > MOST_READ {
            return Ok(());
        }
        read.extend_from_slice(&buffer[..length]);
        let heard = session.take(&buffer[..length]);
        let out = session.out();
        connection.write_all(&out).await?;
        match heard.as_deref() {
            Ok([Heard::Publish(key)]) => break key.clone(),
            Ok([]) => {}
            // It speaks something else, or wants something else.
            Ok(_) | Err(_) => return Ok(()),
        }
    };
    let Err((mut connection, why)) = livestreams.arrive(&key, connection, read).await else { return Ok(()) };
    tracing::debug!(%why, "somebody who wants to stream is not let in");
    session.refuse(No::Key, &why.to_string());
    let farewell = async {
        connection.write_all(&session.out()).await?;
        connection.shutdown().await?;
        // What is unread would have the system take back the answer.
        while connection.read(&mut buffer).await? > 0 {}
        Ok(())
    };
    timeout(ANSWERED, farewell).await.unwrap_or(Ok(()))
}
