//! One connection of a client, and the proxy's own one to the server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Direction;
use super::fault::Plan;
use super::proxy::Shared;
use super::pump::{Broken, Pump};

/// The longest wait for the server to accept the proxy's connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Serves a client until both sides have closed or one has broken off.
pub(crate) async fn serve(client: TcpStream, shared: Arc<Shared>) {
    let _open = shared.tally.accept();
    let plan = shared.plan.subscribe();
    let resets = plan.borrow().resets;
    let server = tokio::select! {
        biased;
        () = doomed(plan.clone(), resets) => None,
        server = reach(&client, &shared, plan.clone()) => server,
    };
    let Some(server) = server else { return reset(&client) };
    let broken = tokio::select! {
        biased;
        () = doomed(plan.clone(), resets) => true,
        broken = converse(&client, &server, &shared, plan.clone()) => broken,
    };
    if broken {
        reset(&client);
        reset(&server);
    }
}

/// Ends when this connection is to be reset.
async fn doomed(mut plan: watch::Receiver<Plan>, resets: u64) {
    // An error means that the proxy is gone.
    let _ = plan.wait_for(|plan| plan.closed || plan.resets > resets).await;
}

/// Connects to the server, if it lets us.
async fn reach(
    client: &TcpStream,
    shared: &Shared,
    mut plan: watch::Receiver<Plan>,
) -> Option<TcpStream> {
    let connect = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(shared.target()));
    let server = connect.await.unwrap_or_else(|late| Err(late.into()));
    let nodelay = |server: TcpStream| {
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        Ok::<_, io::Error>(server)
    };
    match server.and_then(nodelay) {
        Ok(server) => Some(server),
        Err(_) => {
            audible(&mut plan).await;
            None
        }
    }
}

/// Forwards both ways; was the connection broken off by one side?
async fn converse(
    client: &TcpStream,
    server: &TcpStream,
    shared: &Shared,
    mut plan: watch::Receiver<Plan>,
) -> bool {
    let pump = |from, to, way| Pump { from, to, way, tally: &shared.tally, plan: plan.clone() };
    let up = pump(client, server, Direction::ToServer);
    let down = pump(server, client, Direction::ToClient);
    match tokio::try_join!(up.run(), down.run()) {
        Ok(_) => false,
        Err(Broken) => {
            audible(&mut plan).await;
            true
        }
    }
}

/// A reset is a packet too: it does not pass while packets are lost.
async fn audible(plan: &mut watch::Receiver<Plan>) {
    // An error means that the proxy is gone.
    let _ = plan.wait_for(|plan| !plan.silences_any()).await;
}

/// Makes the end of a connection a reset (`ECONNRESET`) instead of an orderly one.
fn reset(stream: &TcpStream) {
    // Fails on a connection that was reset already.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
