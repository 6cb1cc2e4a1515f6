//! The dialect of Aurora MySQL from end to end: servers of MariaDB that answer in its words.

mod endpoint;
mod roles;
