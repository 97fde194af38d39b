// What helps where the browser refuses the microphone: the page came over plain HTTP from another machine.

const DEFAULT_PORT = "8000"; // of `emovox serve`

export interface Advice {
  /** Serves HTTPS at the same port. */
  readonly command: string;
  /** Where the page then is. */
  readonly host: string;
  /** Brings the port to the user's own machine. */
  readonly tunnel: string;
  readonly tunnelled: string;
}

/** @param location of the page; its `port` is empty at 80. */
export function adviceFor({ hostname, host, port }: Pick<Location, "hostname" | "host" | "port">): Advice {
  const secure = port || "443"; // where browsers look without a port, too
  const tunnelled = port || "80";
  const named = secure === DEFAULT_PORT ? "" : ` --port ${secure}`;
  return {
    command: `emovox serve --host 0.0.0.0${named} --ssl-cert cert.pem --ssl-key key.pem`,
    host,
    tunnel: `ssh -N -L ${tunnelled}:127.0.0.1:${tunnelled} ${hostname}`,
    tunnelled,
  };
}
