/** Hand data to the browser's downloads. */
export function download(data: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(data);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The name of a recording without its folder and suffix. */
export function stem(file: string): string {
  const name = file.split(/[/\\]/).pop() ?? "";
  return name.replace(/\.[^.]*$/, "") || "emovox";
}
