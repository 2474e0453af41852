//! How a socket ends, and what its client hears last.

use std::time::Duration;

use axum::extract::ws::close_code;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::signaling::wire::Socket;

/// How long a client may take to answer a close. Without waiting, what it has sent meanwhile would make the system
/// reset the connection, and the client would never read why.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// How a socket ends.
pub struct End {
    /// The client said goodbye, or was told to: its peer is out. If not, the client may come back.
    pub on_purpose: bool,
    /// The last word to a client that is still there.
    pub close: Option<(u16, &'static str)>,
}

impl End {
    pub const LEFT: Self = Self { on_purpose: true, close: None };
    pub const BROKEN: Self = Self { on_purpose: false, close: None };
    pub const REMOVED: Self = Self { on_purpose: true, close: Some((close_code::NORMAL, "removed from the meeting")) };

    /// Lets go of a client that may come back.
    pub fn because(code: u16, why: &'static str) -> Self {
        Self { on_purpose: false, close: Some((code, why)) }
    }
}

/// The last frames of a socket: our close if we have one to send, and whatever its client still says. A close of the
/// client's own is answered on the way: without that answer browsers report a broken connection instead of its code.
pub async fn say_goodbye(socket: &mut Socket, close: Option<(u16, &'static str)>) {
    let said = async {
        if let Some((code, why)) = close {
            socket.send(Message::Close(Some(CloseFrame { code: code.into(), reason: why.into() }))).await?;
        }
        while socket.next().await.transpose()?.is_some() {}
        Ok::<_, tungstenite::Error>(())
    };
    let _ = tokio::time::timeout(CLOSE_WITHIN, said).await;
}
