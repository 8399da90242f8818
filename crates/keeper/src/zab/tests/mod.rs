mod captures;
mod checks;
mod disk;
mod scenarios;
mod simulation;
mod world;
