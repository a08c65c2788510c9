// A worker of a TunnelHost, as a bundled program would have it.
import { runHostWorker } from "@postern/node";

runHostWorker();
