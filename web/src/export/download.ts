/** Save data as a download of the browser. */
export function download(data: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(data);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Return the name of a recording without folder and suffix; "emovox" if nothing is left. */
export function stem(file: string): string {
  const name = file.split(/[/\\]/).pop() ?? "";
  return name.replace(/\.[^.]*$/, "") || "emovox";
}
