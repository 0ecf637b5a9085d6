//! What a project is before anything is compiled: its files, profiles and property files ([`project`], [`profile`],
//! [`yaml`]), the nodes found in it ([`manifest`]), and how nodes hang together and are chosen ([`graph`]).

pub mod manifest;
