// Advice for a page that came over plain HTTP from another machine, where browsers refuse the microphone.

const DEFAULT_PORT = "8000"; // of `emovox serve`

export interface Advice {
  /** Command that serves HTTPS at the same port. */
  readonly command: string;
  /** Host and port of the page after that. */
  readonly host: string;
  /** Command that forwards the port to the user's machine. */
  readonly tunnel: string;
  readonly tunnelled: string;
}

/** Return the advice for the page's location, whose `port` is empty for port 80. */
export function adviceFor({ hostname, host, port }: Pick<Location, "hostname" | "host" | "port">): Advice {
  const secure = port || "443"; // the default port of HTTPS
  const tunnelled = port || "80";
  const named = secure === DEFAULT_PORT ? "" : ` --port ${secure}`;
  return {
    command: `emovox serve --host 0.0.0.0${named} --ssl-cert cert.pem --ssl-key key.pem`,
    host,
    tunnel: `ssh -N -L ${tunnelled}:127.0.0.1:${tunnelled} ${hostname}`,
    tunnelled,
  };
}
