//! diesel-async's sessions on a MariaDB cluster.

mod commits;
mod connections;
mod dropped;
mod failovers;
mod insert_id;
mod pools;
mod replay;
mod routing;
mod stand;
mod transactions;
