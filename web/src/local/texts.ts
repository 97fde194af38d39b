// Texts of the page without a server, in place of those of the service's page.
import type { Key } from "../text/en.ts";

/** Texts that only this page has. */
export type LocalKey =
  | "offline.ready"
  | "offline.private"
  | "offline.full"
  | "offline.unreachable"
  | "error.no_simd"
  | "error.wasm_unreachable"
  | "error.wasm_damaged"
  | "error.wasm_version"
  | "error.model_unreachable"
  | "error.model_damaged"
  | "error.runtime_unreachable"
  | "error.worker_unreachable"
  | "error.worker_failed"
  | "error.bad_rate";

export type LocalTexts = Readonly<Partial<Record<Key, string>> & Record<LocalKey, string>>;

export const EN: LocalTexts = {
  lead: "Choose recordings or use the microphone. All is recognised in this browser: no sound leaves this device. The page shows over time which emotion the voice sounds like, and says when it is not sure.",
  "consent.where_text":
    "Nowhere: this browser analyses it, and nothing is stored. The result stays on this page until you close it or save it.",
  "about.unknown": "The model is not loaded yet.",
  "offline.ready": "Loaded: this page now works without a network.",
  "offline.private":
    "This browser keeps no pages, as in a private window. The page works until you close it; to open it offline, use a normal window.",
  "offline.full":
    "The browser's storage is full. The page works until you close it; to open it offline, free 2 MB and load it again.",
  "offline.unreachable":
    "Some files of the page could not be fetched, so it does not open offline. Load it again when the network works.",
  "error.network": "The file cannot be fetched. Is there a network?",
  "error.undecodable": "This browser cannot decode the file. Convert it to WAV, FLAC, MP3 or M4A.",
  "error.too_large": "The file is larger than 512 MB, too much for a browser. Cut it into parts.",
  "error.no_simd":
    "This browser is too old: it runs no WebAssembly with SIMD. Update it: Chrome and Edge 91, Firefox 89, Safari 16.4 or newer.",
  "error.wasm_unreachable": "The model cannot be fetched. Check the network, then load the page again.",
  "error.wasm_damaged":
    "The model's file is damaged, or forbidden by the server's policy. Load the page again without its cache.",
  "error.wasm_version":
    "The model's file is of another version than this page. Load the page again without its cache (Ctrl+Shift+R).",
  "settings.model_hint":
    "The microphone always uses {model}. Another model is fetched once you analyse a file with it; its size is beside its name.",
  "error.model_unreachable": "The chosen model cannot be fetched. Check the network, or choose another model.",
  "error.model_damaged":
    "The file of the chosen model is damaged. Load the page again without its cache, or choose another model.",
  "error.runtime_unreachable":
    "The program that runs the chosen model cannot be loaded. Check the network, or choose another model.",
  "error.worker_unreachable": "A part of the page cannot be fetched. Check the network, then load the page again.",
  "error.worker_failed": "The recogniser has failed. Load the page again.",
  "error.bad_rate": "The sample rate of this sound is not supported: expected 4 to 384 kHz.",
  "error.mic_unserved": "A part of the page cannot be fetched. Check the network, then load the page again.",
  "error.other": "{message}",
};

export const ZH: LocalTexts = {
  lead: "选择录音，或使用麦克风。一切都在此浏览器中识别：声音不会离开本设备。本页显示声音随时间听起来像哪种情绪，不确定时会注明。",
  "consent.where_text": "哪里也不去：由此浏览器分析，不保存任何内容。结果只留在本页，直到您关闭或自行保存。",
  "about.unknown": "模型尚未加载。",
  "offline.ready": "已加载：本页现在无需网络也能使用。",
  "offline.private": "此浏览器不保存页面（例如无痕窗口）。本页在关闭之前可用；若要离线打开，请使用普通窗口。",
  "offline.full": "浏览器存储空间已满。本页在关闭之前可用；若要离线打开，请腾出 2 MB 后重新加载。",
  "offline.unreachable": "本页的部分文件未能获取，因此不能离线打开。请在网络正常时重新加载。",
  "error.network": "无法获取文件。网络是否正常？",
  "error.undecodable": "此浏览器无法解码该文件。请转换为 WAV、FLAC、MP3 或 M4A。",
  "error.too_large": "文件超过 512 MB，浏览器无法处理。请把它分成几段。",
  "error.no_simd":
    "此浏览器版本过旧，不能运行带 SIMD 的 WebAssembly。请更新：Chrome 与 Edge 91、Firefox 89、Safari 16.4 或更新版本。",
  "error.wasm_unreachable": "无法获取模型。请检查网络，然后重新加载本页。",
  "error.wasm_damaged": "模型文件已损坏，或被服务器的策略禁止。请不使用缓存重新加载本页。",
  "error.wasm_version": "模型文件与本页的版本不同。请不使用缓存重新加载本页（Ctrl+Shift+R）。",
  "settings.model_hint": "麦克风始终使用 {model} 模型。其他模型在您用它分析文件时才获取；大小见其名称旁。",
  "error.model_unreachable": "无法获取所选模型。请检查网络，或选择其他模型。",
  "error.model_damaged": "所选模型的文件已损坏。请不使用缓存重新加载本页，或选择其他模型。",
  "error.runtime_unreachable": "无法加载运行所选模型的程序。请检查网络，或选择其他模型。",
  "error.worker_unreachable": "无法获取本页的一部分。请检查网络，然后重新加载本页。",
  "error.worker_failed": "识别器出错。请重新加载本页。",
  "error.bad_rate": "不支持此声音的采样率：应为 4 至 384 kHz。",
  "error.mic_unserved": "无法获取本页的一部分。请检查网络，然后重新加载本页。",
  "error.other": "{message}",
};
